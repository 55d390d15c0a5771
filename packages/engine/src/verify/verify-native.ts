import type { Repository } from '@ydbackup/catalog'
import { BackupError, isBackupError, type KeyProvider, throwIfInterrupted } from '@ydbackup/core'
import { checkNativeExport, layout, type Manifest, type NativeFiles } from '@ydbackup/format'

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
 * it: no manifest, no hash of ours, also no file that should not be there. Errors: `BACKUP_NOT_FOUND`, `KEY_REQUIRED`, `KEY_WRONG`,
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
	const root = `${layout.backupPrefix(manifest.id)}/`
	const keyring = createKeyring(options.keys ?? [], signal)
	const key = manifest.encryption && (await keyring.find(manifest.encryption.keyId, manifest.id))
	const files: NativeFiles = {
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
	const {
		problems,
		objects,
		rows,
		files: count,
	} = await checkNativeExport(files, {
		schemeOnly: level === 'quick',
		key: key?.secret,
		onFile: (name) => throwIfInterrupted(signal, `reading ${name}`),
	})
	const findings = problems.map(({ file, message }): Finding => {
		const name = `${root}${file}`
		return { key: name, code: 'FORMAT_INVALID', message: `${name} ${message}`, severity: 'native' }
	})
	return { id: manifest.id, ok: findings.length === 0, findings, objects, files: count, rows }
}
