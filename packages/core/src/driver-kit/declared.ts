import { createHash, hash } from 'node:crypto'
import { BackupError } from '../errors/backup-error.ts'
import type { PutOptions } from '../storage/storage.ts'

/** What a caller of `put` says of its body. */
export type Declared = Pick<PutOptions, 'size' | 'sha256'>

/** Passes a body on, and throws `STORAGE_INTEGRITY` when it is not what was declared: before its end, so that it cannot become an object. */
export async function* checked(
	pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
	key: string,
	{ size: declared, sha256 }: Declared,
): AsyncGenerator<Uint8Array> {
	const sum = sha256 === undefined ? undefined : createHash('sha256')
	let size = 0
	for await (const bytes of pieces) {
		size += bytes.length
		if (declared !== undefined && size > declared) throw wrongSize(key, declared, 'more')
		sum?.update(bytes)
		if (bytes.length > 0) yield bytes
	}
	if (declared !== undefined && size !== declared) throw wrongSize(key, declared, String(size))
	if (sum && sum.digest('hex') !== sha256) throw wrongHash(key)
}

/** The same check of a body that is there as a whole. */
export function checkWhole(bytes: Uint8Array, key: string, { size, sha256 }: Declared): void {
	if (size !== undefined && size !== bytes.length) throw wrongSize(key, size, String(bytes.length))
	if (sha256 !== undefined && hash('sha256', bytes) !== sha256) throw wrongHash(key)
}

function wrongSize(key: string, declared: number, size: string): BackupError {
	return new BackupError('STORAGE_INTEGRITY', `${key} was declared with ${declared} bytes and has ${size}`)
}

function wrongHash(key: string): BackupError {
	return new BackupError('STORAGE_INTEGRITY', `${key} does not have the declared sha256`)
}
