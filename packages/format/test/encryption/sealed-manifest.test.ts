import { randomBytes } from 'node:crypto'

import { type BackupError, isBackupError } from '@ydbackup/core'
import { expect, test } from 'vitest'

import { authenticateManifest, decodeManifest, encodeManifest, encryption, type Manifest } from '../../src/index.ts'
import { type Loose, sampleManifest } from '../sample-manifest.ts'

const key = encryption.createEncryptionKey(randomBytes(32), 'a test')

function sealed(change: (manifest: Loose) => void = () => {}): Uint8Array {
	const open = sampleManifest()
	const manifest: Loose = {
		...open,
		encryption: { algorithm: 'AES-256-GCM', keyId: key.id, iv: '1234567890ABCDEF98765432' },
		objects: [{ ...open.objects[1], path: '001' }],
		paths: [],
		notes: [],
		files: open.files.map((file) => ({ ...file, key: `${file.key}.enc` })),
		counts: { ...open.counts, directories: 0 },
	}
	const whole: Loose = authenticateManifest(manifest, key)
	change(whole)
	return encodeManifest(whole)
}

function refusal(bytes: Uint8Array): BackupError {
	try {
		decodeManifest(bytes, 'm')
	} catch (error) {
		if (isBackupError(error)) return error
		throw error
	}
	return expect.fail('it was accepted')
}

const isMarked = ({ mac }: Manifest, by = key): boolean => encryption.isAuthentic(by, mac!.over, mac!.tag)

test('a sealed manifest comes back, and its mark is that of the key alone', () => {
	const manifest = decodeManifest(sealed(), 'm')
	expect(manifest.encryption).toEqual({ algorithm: 'AES-256-GCM', keyId: key.id, iv: '1234567890ABCDEF98765432' })
	expect(isMarked(manifest)).toBe(true)
	expect(isMarked(manifest, encryption.createEncryptionKey(randomBytes(32), 'another'))).toBe(false)
	expect(encodeManifest(manifest)).toEqual(sealed())
})

test('a mark of something else is refused without the key, and a mark that was made up is seen with it', () => {
	expect(refusal(sealed((manifest) => (manifest.labels = { env: 'test' }))).code).toBe('MANIFEST_INVALID')
	expect(refusal(sealed((manifest) => (manifest.unknown = 1))).code).toBe('MANIFEST_INVALID')
	const made = decodeManifest(
		sealed((manifest) => (manifest.mac.tag = 'ab'.repeat(32))),
		'm',
	)
	expect(isMarked(made)).toBe(false)
})

test('what a newer version adds is covered by the mark', () => {
	const text = Buffer.from(sealed()).toString()
	const newer = authenticateManifest({ ...JSON.parse(text), sha256: undefined, mac: undefined, future: { a: 1 } }, key)
	const manifest = decodeManifest(encodeManifest(newer), 'm')
	expect(isMarked(manifest)).toBe(true)
})

const REFUSED: readonly (readonly [string, (manifest: Loose) => void, string])[] = [
	['an algorithm that is not known', (m) => (m.encryption.algorithm = 'AES-512-GCM'), 'MANIFEST_VERSION'],
	['another spelling of one', (m) => (m.encryption.algorithm = 'aes256gcm'), 'MANIFEST_VERSION'],
	['no id of a key', (m) => (m.encryption.keyId = 'x'), 'MANIFEST_INVALID'],
	['no IV', (m) => (m.encryption.iv = '12'), 'MANIFEST_INVALID'],
	['no mark', (m) => delete m.mac, 'MANIFEST_INVALID'],
	['a mark without encryption', (m) => delete m.encryption, 'MANIFEST_INVALID'],
	['the name of a table', (m) => (m.objects[0].path = 'dir/t'), 'MANIFEST_INVALID'],
	['paths', (m) => (m.paths = ['dir']), 'MANIFEST_INVALID'],
	['notes', (m) => (m.notes = [{ path: 'a', kind: 'b', reason: 'c' }]), 'MANIFEST_INVALID'],
	['a file that is open', (m) => (m.files[2].key = m.files[2].key.replace('.enc', '')), 'MANIFEST_INVALID'],
]

test.for(REFUSED)('%s in a sealed manifest is refused', ([, change, code]) => {
	const bytes = sealed((manifest) => {
		change(manifest)
		if (manifest.mac !== undefined) Object.assign(manifest, authenticateManifest({ ...manifest, mac: undefined }, key))
	})
	expect(refusal(bytes).code).toBe(code)
})
