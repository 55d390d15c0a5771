import { randomBytes } from 'node:crypto'

import { putRunFile, readRunFiles, type Repository } from '@ydbackup/catalog'
import { type CallOptions, isBackupError, type Snapshot } from '@ydbackup/core'
import { layout, type ManifestFile } from '@ydbackup/format'

import type { BackupPlan } from '../backup/backup-plan.ts'
import type { Keyring } from '../encryption/keyring.ts'
import type { Seal } from '../encryption/seal.ts'
import {
	decodeParts,
	decodeRequest,
	decodeSnapshot,
	encodeParts,
	encodeRequest,
	encodeSnapshot,
	type RunRequest,
	type RunSnapshot,
} from './journal-files.ts'
import { openFile, sealFile } from './sealed-file.ts'

/** Parts are noted when one is done and this much time has passed since the last note: a short run writes few notes, a long one loses little. */
const NOTE_EVERY_MS = 1000

/** What a run writes down to be able to go on after its process has ended. */
export interface Journal {
	request(request: RunRequest): Promise<void>
	snapshot(plan: BackupPlan, snapshot: Snapshot): Promise<void>
	/** A data file is on storage. Of an encrypted run nothing is noted: what goes on with it encrypts anew. */
	part(file: ManifestFile, signal: AbortSignal): Promise<void>
	/** Notes what was not noted yet. */
	flush(signal?: AbortSignal): Promise<void>
}

export function createJournal({ storage }: Repository, id: string, seal: Seal | undefined): Journal {
	const token = randomBytes(4).toString('hex')
	let waiting: ManifestFile[] = []
	let notes = 0
	let notedAt = Number.NEGATIVE_INFINITY

	async function put(name: string, bytes: Uint8Array): Promise<void> {
		const where = layout.runFileKey(id, name)
		await putRunFile(storage, id, { name, bytes: seal === undefined ? bytes : sealFile(where, bytes, seal) })
	}

	async function flush(signal?: AbortSignal): Promise<void> {
		if (waiting.length === 0) return
		const parts = waiting
		waiting = []
		notedAt = performance.now()
		const name = `parts-${token}-${String(notes++).padStart(6, '0')}.json`
		await putRunFile(storage, id, { name, bytes: encodeParts(parts) }, { signal })
	}

	return {
		request: (request) => put('request.json', encodeRequest(request)),
		snapshot: (plan, snapshot) => put('snapshot.json', encodeSnapshot(plan, snapshot)),
		async part(file, signal) {
			if (seal !== undefined) return
			waiting.push(file)
			if (performance.now() - notedAt >= NOTE_EVERY_MS) await flush(signal)
		},
		flush,
	}
}

/** What a run has left of its journal. What is not there or cannot be read is undefined; parts that cannot be read are as if they were not. */
export interface LeftJournal {
	readonly request: RunRequest | undefined
	readonly snapshot: RunSnapshot | undefined
	/** By key. */
	readonly parts: ReadonlyMap<string, ManifestFile>
	/** What could not be read, and why. */
	readonly damage: readonly string[]
}

/** Errors: `KEY_REQUIRED`, `KEY_WRONG`, `KEY_UNAVAILABLE` for the journal of an encrypted run; what the store says. */
export async function readJournal(
	{ storage }: Repository,
	id: string,
	keyring: Keyring,
	options: CallOptions = {},
): Promise<LeftJournal> {
	const damage: string[] = []

	async function read<T>(prefix: string, decode: (bytes: Uint8Array, where: string) => T): Promise<T[]> {
		const found: T[] = []
		for (const { name, bytes } of await readRunFiles(storage, id, prefix, options)) {
			const where = layout.runFileKey(id, name)
			try {
				found.push(decode(await openFile(where, bytes, keyring), where))
			} catch (error) {
				if (!isBackupError(error) || (error.kind !== 'damaged' && error.code !== 'TYPE_UNKNOWN')) throw error
				damage.push(error.message)
			}
		}
		return found
	}

	const [request] = await read('request.json', decodeRequest)
	const [snapshot] = await read('snapshot.json', decodeSnapshot)
	const parts = (await read('parts-', decodeParts)).flat()
	return { request, snapshot, parts: new Map(parts.map((part) => [part.key, part])), damage }
}
