import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'

import { isBackupError } from '@ydbackup/core'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { encryption, type EncryptionAlgorithm, type EncryptionKey, type FileEncryptor } from '../../src/index.ts'
import { modelFile } from './model.ts'

const { createEncryptionKey, createFileEncryptor, decryptFile, decryptWhole, fileIv, itemIv, ivHex } = encryption

interface Vectors {
	readonly export_iv: string
	readonly derived_ivs: readonly {
		base: string
		file_type: number
		item: number
		shard: number
		iv: string
		what: string
	}[]
	readonly vectors: readonly {
		id: string
		algorithm: EncryptionAlgorithm
		key_hex: string
		file_iv: string
		blocks: string[]
		file_hex: string
	}[]
}
const golden = JSON.parse(
	readFileSync(join(import.meta.dirname, '../fixtures/encryption/vectors.json'), 'utf8'),
) as Vectors
const hex = (text: string): Buffer => Buffer.from(text, 'hex')
const keyOf = (bytes: Uint8Array): EncryptionKey => createEncryptionKey(bytes, 'a test')
const ALGORITHMS = { 'AES-128-GCM': 16, 'AES-256-GCM': 32, 'ChaCha20-Poly1305': 32 } as const

/** The pieces of a file. */
function* encrypt(encryptor: FileEncryptor, blocks: readonly Uint8Array[]): Generator<Uint8Array> {
	const file = encryptor.begin()
	for (const block of blocks) yield* file.block(block)
	yield file.end()
}
async function* cut(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
	for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}
async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
	const parts: Uint8Array[] = []
	for await (const part of stream) parts.push(Uint8Array.from(part))
	return Buffer.concat(parts)
}
async function reasonOf(work: Promise<unknown>): Promise<string> {
	const error: unknown = await work.then(
		() => 'nothing was noticed',
		(thrown: unknown) => thrown,
	)
	return isBackupError(error) ? `${error.code} ${error.reason ?? ''}`.trim() : String(error)
}

test.for(golden.vectors)('golden file $id is written byte for byte and read back', async (vector) => {
	const key = keyOf(hex(vector.key_hex))
	const options = { key, algorithm: vector.algorithm, iv: hex(vector.file_iv), name: vector.id }
	const blocks = vector.blocks.map((text) => Buffer.from(text))
	const file = Buffer.concat([...encrypt(createFileEncryptor(options), blocks)])
	expect(file.toString('hex')).toBe(vector.file_hex)
	expect(await decryptWhole(hex(vector.file_hex), options)).toEqual(Buffer.concat(blocks))
})

test('IVs are derived as documented', () => {
	const exportIv = hex(golden.export_iv)
	const types = {
		0: 'metadata',
		1: 'permissions',
		2: 'mapping',
		10: 'scheme',
		11: 'data',
		12: 'changefeed',
		13: 'topic',
	} as const
	for (const { what, base, file_type, item, shard, iv } of golden.derived_ivs) {
		const from = base === 'export' ? exportIv : itemIv(exportIv, Number(base.slice('item '.length)))
		const found = item > 0 ? itemIv(from, item) : fileIv(from, types[file_type as keyof typeof types], shard)
		expect(ivHex(found), what).toBe(iv)
	}
})

test('no two blocks of an export have one nonce', () => {
	const exportIv = encryption.newExportIv()
	const seen = new Set<string>()
	let expected = 0
	const note = (iv: Uint8Array): void => {
		seen.add(ivHex(iv).slice(0, 16))
		expected += 1
	}
	for (const type of ['metadata', 'mapping', 'objects'] as const) note(fileIv(exportIv, type))
	for (const item of [1, 2, 255, 256, 65_536, 2 ** 24 - 1]) {
		for (const type of ['metadata', 'permissions', 'scheme'] as const) note(fileIv(itemIv(exportIv, item), type))
		for (const shard of [0, 1, 255, 256, 2 ** 31, 2 ** 32 - 1]) note(fileIv(itemIv(exportIv, item), 'data', shard))
	}
	expect(seen.size).toBe(expected)
	expect(() => itemIv(exportIv, 2 ** 24)).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }))
	expect(() => fileIv(exportIv, 'data', 2 ** 32)).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }))
})

test('a file is what the model makes, whatever the blocks, and comes back whatever the pieces', async () => {
	const block = fc.uint8Array({ maxLength: 5000 })
	await fc.assert(
		fc.asyncProperty(
			fc.constantFrom(...(Object.keys(ALGORITHMS) as EncryptionAlgorithm[])),
			fc.array(block, { maxLength: 6 }),
			fc.integer({ min: 1, max: 700 }),
			fc.uint8Array({ minLength: 12, maxLength: 12 }),
			async (algorithm, blocks, piece, iv) => {
				const bytes = randomBytes(ALGORITHMS[algorithm])
				const options = { key: keyOf(bytes), algorithm, iv, name: 'x' }
				const file = Buffer.concat([...encrypt(createFileEncryptor(options), blocks)])
				const full = blocks.filter((one) => one.length > 0).map((one) => Buffer.from(one))
				expect(file.equals(modelFile(algorithm, bytes, Buffer.from(iv), full))).toBe(true)
				expect(await collect(decryptFile(cut(file, piece), options))).toEqual(Buffer.concat(full))
			},
		),
		{ numRuns: 150 },
	)
})

test('every changed bit, every cut and every addition is noticed', async () => {
	const bytes = randomBytes(32)
	const iv = encryption.newExportIv()
	const options = { key: keyOf(bytes), algorithm: 'AES-256-GCM', iv, name: 'x' } as const
	const file = modelFile('AES-256-GCM', bytes, Buffer.from(iv), [
		Buffer.from('1,"a"\n'),
		Buffer.from('2,null\n3,null\n'),
	])
	for (let at = 0; at < file.length; at += 1) {
		const other = Buffer.from(file)
		other[at]! ^= 1 << (at % 8)
		expect(await reasonOf(decryptWhole(other, options)), `byte ${at}`).toMatch(
			/^FORMAT_INVALID (?:header|swapped|block|cut-off)$/u,
		)
		expect(await reasonOf(decryptWhole(file.subarray(0, at), options)), `cut at ${at}`).toBe('FORMAT_INVALID cut-off')
	}
	expect(await reasonOf(decryptWhole(Buffer.concat([file, Buffer.alloc(1)]), options))).toBe('FORMAT_INVALID trailing')
	expect(await reasonOf(decryptWhole(Buffer.concat([file, file]), options))).toBe('FORMAT_INVALID trailing')
})

test('blocks and files that were swapped, left out or ended early are noticed, and no byte of them is handed out', async () => {
	const bytes = randomBytes(16)
	const iv = Buffer.from(encryption.newExportIv())
	const options = { key: keyOf(bytes), algorithm: 'AES-128-GCM', iv, name: 'x' } as const
	const [one, two, three] = ['one\n', 'two\n', 'six\n'].map((text) => Buffer.from(text)) as [Buffer, Buffer, Buffer]
	const file = modelFile('AES-128-GCM', bytes, iv, [one, two, three])
	const head = file.length - 20 - 3 * 24
	const part = (index: number): Buffer => file.subarray(head + index * 24, head + (index + 1) * 24)
	const build = (...indexes: number[]): Buffer => Buffer.concat([file.subarray(0, head), ...indexes.map(part)])
	expect(await reasonOf(decryptWhole(build(0, 2, 1, 3), options))).toBe('FORMAT_INVALID block')
	expect(await reasonOf(decryptWhole(build(1, 0, 2, 3), options))).toBe('FORMAT_INVALID block')
	expect(await reasonOf(decryptWhole(build(0, 1, 3), options))).toBe('FORMAT_INVALID block')
	expect(await reasonOf(decryptWhole(build(0, 0, 1, 2, 3), options))).toBe('FORMAT_INVALID block')
	expect(await reasonOf(decryptWhole(build(0, 1), options))).toBe('FORMAT_INVALID cut-off')

	const handed: Buffer[] = []
	await reasonOf(
		(async () => {
			for await (const piece of decryptFile(cut(build(0, 2, 1, 3), file.length), options))
				handed.push(Buffer.from(piece))
		})(),
	)
	expect(Buffer.concat(handed)).toEqual(one)

	const other = modelFile('AES-128-GCM', bytes, Buffer.from(fileIv(iv, 'data', 1)), [one, two, three])
	expect(await reasonOf(decryptWhole(other, options))).toBe('FORMAT_INVALID swapped')
	// The block of another file under the same key.
	const grafted = Buffer.concat([file.subarray(0, head), other.subarray(head)])
	expect(await reasonOf(decryptWhole(grafted, options))).toBe('FORMAT_INVALID block')
})

test('another key, another algorithm and a header that is none are told apart', async () => {
	const iv = Buffer.from(encryption.newExportIv())
	const file = modelFile('ChaCha20-Poly1305', randomBytes(32), iv, [])
	const key = keyOf(randomBytes(32))
	expect(await reasonOf(decryptWhole(file, { key, iv, name: 'x' }))).toBe('FORMAT_INVALID header')
	expect(await reasonOf(decryptWhole(file, { key, iv, name: 'x', algorithm: 'AES-256-GCM' }))).toBe(
		'FORMAT_INVALID swapped',
	)
	expect(await reasonOf(decryptWhole(file, { key: keyOf(randomBytes(16)), iv, name: 'x' }))).toBe('KEY_WRONG')
	expect(await reasonOf(decryptWhole(Buffer.from('key,value\n'), { key, iv, name: 'x' }))).toBe('FORMAT_INVALID header')
})

test('a header may have fields that are not known, and any bytes are refused without a crash', async () => {
	await fc.assert(
		fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
			const key = keyOf(Buffer.alloc(32))
			expect(await reasonOf(decryptWhole(bytes, { key, iv: undefined, name: 'x' }))).toMatch(
				/^FORMAT_INVALID|^KEY_WRONG/u,
			)
		}),
		{ numRuns: 500 },
	)
})

test('a block that says that it is huge is refused before its bytes are waited for', async () => {
	const bytes = randomBytes(32)
	const iv = Buffer.from(encryption.newExportIv())
	const file = modelFile('AES-256-GCM', bytes, iv, [])
	const claim = Buffer.concat([file.subarray(0, -20), hex('ffffffff'), randomBytes(100)])
	expect(await reasonOf(decryptWhole(claim, { key: keyOf(bytes), iv, name: 'x' }))).toBe('FORMAT_INVALID block')
})

test('a retry gives the same bytes, and other bytes under the same nonces are never handed out', async () => {
	const iv = encryption.newExportIv()
	const options = { key: keyOf(randomBytes(32)), algorithm: 'AES-256-GCM', iv, name: 'x' } as const
	const encryptor = createFileEncryptor(options)
	const [a, b, c] = ['a\n', 'b\n', 'c\n'].map((text) => Buffer.from(text)) as [Buffer, Buffer, Buffer]

	// The first attempt is left half-way, as a store does that asks again.
	const first = encryptor.begin()
	const begun = [...first.block(a), ...first.block(b)]

	const whole = Buffer.concat([...encrypt(encryptor, [a, b, c])])
	expect(whole.subarray(0, Buffer.concat(begun).length)).toEqual(Buffer.concat(begun))
	expect(Buffer.concat([...encrypt(encryptor, [a, b, c])]).equals(whole)).toBe(true)

	for (const blocks of [[a, c, b], [a, b], [a, b, c, a], [Buffer.from('z\n')], []]) {
		const handed: Uint8Array[] = []
		const reason = await reasonOf(
			(async () => {
				for (const piece of encrypt(encryptor, blocks)) handed.push(piece)
			})(),
		)
		expect(reason).toBe('DATA_MISMATCH')
		const sent = Buffer.concat(handed)
		expect(whole.subarray(0, sent.length).equals(sent)).toBe(true)
	}
})

test('keys show nothing of themselves, and equal keys have equal ids', () => {
	const canary = 'CANARY-0123456789-CANARY-0123456'
	const key = keyOf(Buffer.from(canary))
	const forms = [canary, Buffer.from(canary).toString('hex'), Buffer.from(canary).toString('base64')]
	const shown = [
		inspect(key, { depth: 9, showHidden: true }),
		JSON.stringify(key),
		String(key),
		Object.values(key).map(String).join(),
	]
	for (const text of shown) for (const form of forms) expect(text).not.toContain(form)
	expect(key.id).toMatch(/^[0-9a-f]{32}$/u)
	expect(keyOf(Buffer.from(canary)).id).toBe(key.id)
	expect(keyOf(randomBytes(32)).id).not.toBe(key.id)
	for (const length of [0, 15, 17, 24, 33, 64]) {
		expect(() => keyOf(Buffer.alloc(length)), String(length)).toThrow(
			expect.objectContaining({ code: 'CONFIG_INVALID' }),
		)
	}
})

test('algorithms are read in every spelling that YDB reads', () => {
	const texts = ['aes-128-gcm', 'AES_256_GCM', 'AES256gcm', 'ChaCha20-Poly1305', 'chacha20poly1305']
	expect(texts.map(encryption.parseAlgorithm)).toEqual([
		'AES-128-GCM',
		'AES-256-GCM',
		'AES-256-GCM',
		'ChaCha20-Poly1305',
		'ChaCha20-Poly1305',
	])
	for (const text of ['', 'aes', 'aes-192-gcm', 'AES-256-CBC', 'none']) {
		expect(() => encryption.parseAlgorithm(text)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
	}
})
