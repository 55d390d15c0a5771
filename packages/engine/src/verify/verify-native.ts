import type { Repository } from '@ydbackup/catalog'
import { BackupError, isBackupError, type KeyProvider, type Storage, throwIfInterrupted } from '@ydbackup/core'
import { checkNativeExport, layout, type Manifest, type NativeCheck, type NativeFiles } from '@ydbackup/format'

import { createKeyring } from '../encryption/keyring.ts'
import { type Finding, findingOf } from '../part/finding.ts'

export interface VerifyNativeOptions {
	readonly repository: Repository
	/** An id, or `latest`. */
	readonly id: string
	/** `quick` leaves the insides of data files alone. */
	readonly level: 'quick' | 'full'
	/** The keys of an encrypted backup, which cannot be checked without. */
	readonly keys?: readonly KeyProvider[] | undefined
	readonly signal?: AbortSignal | undefined
}

export interface NativeReport {
	readonly id: string
	/** True when there is no finding. */
	readonly ok: boolean
	/** Of severity `native`, but for a manifest that cannot be read. */
	readonly findings: readonly Finding[]
	readonly objects: number
	readonly files: number
	/** With `full`. */
	readonly rows: number
}

/**
 * Checks one backup as an export of YDB, by the documented rules of `ydb import` and `ydb tools validate` and by nothing that we know of
 * it: no manifest, no hash of ours, also no file that should not be there. What is beside an export by the cluster is another export. Errors: `BACKUP_NOT_FOUND`, `KEY_REQUIRED`, `KEY_WRONG`,
 * `KEY_UNAVAILABLE`, those of a store that cannot be asked.
 */
export async function verifyNative(options: VerifyNativeOptions): Promise<NativeReport> {
	const { repository, level, signal } = options
	const { storage } = repository
	let manifest: Manifest
	try {
		manifest = (await repository.read(options.id, { signal })).manifest
	} catch (error) {
		const finding = findingOf(error, layout.manifestKey(options.id), 'data')
		return { id: options.id, ok: false, findings: [finding], objects: 0, files: 0, rows: 0 }
	}
	const keyring = createKeyring(options.keys ?? [], signal)
	const key = manifest.encryption && (await keyring.find(manifest.encryption.keyId, manifest.id))
	const beside = `${layout.besidePrefix(manifest.id)}/`
	const hasBeside = manifest.files.some((file) => file.key.startsWith(beside))
	const checks: NativeCheck[] = []
	const findings: Finding[] = []
	for (const root of [`${layout.backupPrefix(manifest.id)}/`, ...(hasBeside ? [beside] : [])]) {
		const check = await checkNativeExport(filesBelow(storage, root, signal), {
			schemeOnly: level === 'quick',
			key: key?.secret,
			onFile: (name) => throwIfInterrupted(signal, `reading ${name}`),
		})
		checks.push(check)
		for (const { file, message } of check.problems) {
			const name = `${root}${file}`
			findings.push({ key: name, code: 'FORMAT_INVALID', message: `${name} ${message}`, severity: 'native' })
		}
	}
	const sum = (what: 'objects' | 'files' | 'rows'): number => checks.reduce((total, check) => total + check[what], 0)
	const found = { objects: sum('objects'), files: sum('files'), rows: sum('rows') }
	return { id: manifest.id, ok: findings.length === 0, findings, ...found }
}

function filesBelow(storage: Storage, root: string, signal: AbortSignal | undefined): NativeFiles {
	return {
		async *list() {
			for await (const { key: name, size } of storage.list(root, { signal })) {
				yield { name: name.slice(root.length), size }
			}
		},
		async *read(name) {
			try {
				yield* (await storage.get(`${root}${name}`, { signal })).bytes
			} catch (error) {
				if (!isBackupError(error, 'STORAGE_NOT_FOUND')) throw error
				throw new BackupError('OBJECT_MISSING', `${root}${name} was there and is gone`, { cause: error })
			}
		},
	}
}
