import { randomBytes } from 'node:crypto'

import { BackupError, type CallOptions, isBackupError, type Storage } from '@ydbackup/core'
import { decodeProof, encodeProof, layout, type Manifest, MAX_PROOF_BYTES, type Proof } from '@ydbackup/format'

import { readWhole } from '../read/read-whole.ts'

/** The newest proofs are looked at first; one that cannot be read, or is of another manifest, is passed over, but not for ever. */
const MOST_LOOKED_AT = 8
const NAME = /^catalog\/([^/]+)\/proof-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-[0-9a-f]{8}\.json$/u

/** Writes down that a backup was read and was right. */
export async function putProof(storage: Storage, proof: Proof, { signal }: CallOptions = {}): Promise<void> {
	const time = proof.at.slice(0, 19).replaceAll(/[-:]/gu, '')
	const key = `${layout.catalogPrefix(proof.backup)}/proof-${time}Z-${randomBytes(4).toString('hex')}.json`
	const bytes = encodeProof(proof)
	await storage.put(key, bytes, { size: bytes.length, signal })
}

/** The newest proof of exactly this manifest. */
export async function readProof(
	storage: Storage,
	{ id, sha256 }: Manifest,
	{ signal }: CallOptions = {},
): Promise<Proof | undefined> {
	const keys: string[] = []
	for await (const { key } of storage.list(`${layout.catalogPrefix(id)}/proof-`, { signal })) keys.push(key)
	for (const key of keys.toSorted().toReversed().slice(0, MOST_LOOKED_AT)) {
		const tooLarge = (): BackupError => new BackupError('FORMAT_INVALID', `${key} is too large`)
		try {
			const proof = decodeProof(await readWhole(storage, key, MAX_PROOF_BYTES, tooLarge, { signal }), key)
			if (proof.backup === id && proof.manifestSha256 === sha256) return proof
		} catch (error) {
			if (!isBackupError(error, 'FORMAT_INVALID') && !isBackupError(error, 'STORAGE_NOT_FOUND')) throw error
		}
	}
	return undefined
}

/** When each backup was last proven, by the names of its proofs. */
export async function listProofs(storage: Storage, { signal }: CallOptions = {}): Promise<Map<string, Date>> {
	const found = new Map<string, Date>()
	for await (const { key } of storage.list(layout.catalogRoot, { signal })) {
		const [, id, year, month, day, hour, minute, second] = NAME.exec(key) ?? []
		if (id === undefined) continue
		const at = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
		if (!Number.isNaN(at.getTime()) && !(found.get(id)! > at)) found.set(id, at)
	}
	return found
}
