import { isBackupError, type Storage } from '@ydbackup/core'
import { createSha256, type ManifestFile } from '@ydbackup/format'

import type { Meter } from '../events/meter.ts'
import { objectDamaged } from '../part/damage.ts'
import { readObject } from '../part/read-object.ts'

export interface CopyObjectOptions {
	readonly from: Storage
	readonly to: Storage
	/** As the manifest, or a proof of it, has it. */
	readonly file: Pick<ManifestFile, 'key' | 'size' | 'sha256'>
	readonly meter: Meter
	readonly signal: AbortSignal
	readonly onRetry: () => void
}

/**
 * Copies an object byte for byte: hashed as it is sent, and read back whole. One that is there already is read instead, and sent only when it is
 * another one. Gives whether it was sent. Errors: `OBJECT_MISSING`, `OBJECT_DAMAGED` naming the key; what the stores say.
 */
export async function copyObject(options: CopyObjectOptions): Promise<boolean> {
	const { to, file, signal } = options
	const info = await to.stat(file.key, { signal })
	if (info?.size === file.size && file.sha256 !== undefined) {
		if ((await hashOf(to, file, options)) === file.sha256) return false
	}
	const sent = await send(options)
	const found = await hashOf(to, file, options)
	if (found !== sent) throw objectDamaged(file.key, `its copy has the SHA-256 ${found}, and ${sent} was sent`)
	return true
}

async function send({ from, to, file, meter, signal, onRetry }: CopyObjectOptions): Promise<string> {
	const { key, size, sha256 } = file
	const part = meter.openPart()
	let attempts = 0
	let sent = ''
	async function* open(): AsyncGenerator<Uint8Array, void, undefined> {
		if (attempts++ > 0) {
			part.takeBack()
			onRetry()
		}
		const hash = createSha256()
		for await (const bytes of readObject({ storage: from, key, size, signal })) {
			hash.update(bytes)
			part.add(0, bytes.length, bytes.length)
			yield bytes
		}
		sent = hash.hex()
		if (sha256 !== undefined && sent !== sha256)
			throw objectDamaged(key, `its SHA-256 is ${sent}, and ${sha256} was written`)
	}
	await to.put(key, () => open(), { size, sha256, signal })
	return sent
}

/** Of an object at its new place; undefined for one of another size. */
async function hashOf(
	storage: Storage,
	{ key, size }: CopyObjectOptions['file'],
	{ meter, signal }: CopyObjectOptions,
): Promise<string | undefined> {
	const hash = createSha256()
	try {
		for await (const bytes of readObject({ storage, key, size, signal })) {
			hash.update(bytes)
			meter.touch()
		}
	} catch (error) {
		if (isBackupError(error, 'OBJECT_MISSING') || isBackupError(error, 'OBJECT_DAMAGED')) return undefined
		throw error
	}
	return hash.hex()
}
