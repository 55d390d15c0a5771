import {
	BackupError,
	type ClusterKey,
	type ClusterOperation,
	type ClusterTransfers,
	type DefinedKind,
} from '@ydbackup/core'
import { layout } from '@ydbackup/format'

import type { Seal } from '../encryption/seal.ts'
import type { Reporter } from '../events/reporter.ts'
import type { ClusterBackupOptions } from './cluster-options.ts'
import type { ClusterStore } from './cluster-store.ts'
import { exportLadder, mayBeAboutKinds } from './export-kinds.ts'
import type { ExportPlan } from './export-plan.ts'

const RETRIES = 10

export interface StartOptions {
	readonly transfers: ClusterTransfers
	readonly store: ClusterStore
	readonly id: string
	readonly key: Pick<Seal, 'key' | 'algorithm'> | undefined
	readonly retries?: number | undefined
	readonly signal: AbortSignal | undefined
}

/** Begins the export, or finds the one that was begun with the same id. */
export async function startExport(options: StartOptions, plan: ExportPlan): Promise<ClusterOperation> {
	const { transfers, store, id, key, retries, signal } = options
	const { compression, tables, exported } = plan
	return transfers.startExport({
		place: store.place,
		prefix: `${store.prefix}${layout.backupPrefix(id)}`,
		// Folders of an encrypted export are numbered by the cluster, because the numbers are part of what its files are encrypted with.
		items: [...tables, ...exported].map(({ path }, at) => ({
			path,
			...(key === undefined && { prefix: layout.itemPrefix(at + 1) }),
		})),
		...(compression !== 'none' && { compression }),
		...(key && { key: clusterKey(key) }),
		retries: retries ?? RETRIES,
		uid: id,
		description: `ydbackup ${id}`,
		signal,
	})
}

/**
 * Begins an export of as much as this server exports. `planFor` gives what to ask for; each plan is kept by `keep` before the server is asked.
 * Errors: those of the start, the last of which is about tables alone; `UNSUPPORTED` when nothing is left to ask for.
 */
export async function startWhatItExports(
	options: StartOptions & { readonly reporter: Reporter },
	planFor: (kinds: ReadonlySet<DefinedKind>) => ExportPlan,
	keep: (plan: ExportPlan) => Promise<void>,
): Promise<{ readonly plan: ExportPlan; readonly operation: ClusterOperation }> {
	const all = planFor(new Set())
	const ladder = exportLadder(new Set(all.objects.map(({ kind }) => kind)))
	let refused: BackupError | undefined
	for (const kinds of ladder) {
		const plan = planFor(kinds)
		if (plan.tables.length + plan.exported.length === 0) break
		await keep(plan)
		try {
			const operation = await startExport(options, plan)
			if (refused !== undefined) warnOfKinds(options.reporter, ladder[0]!, kinds, refused)
			return { plan, operation }
		} catch (error) {
			if (!mayBeAboutKinds(error) || kinds.size === 0) throw error
			refused = error
		}
	}
	throw new BackupError('UNSUPPORTED', 'there is nothing here that the cluster exports', {
		advice: 'use --engine client',
		cause: refused,
	})
}

function warnOfKinds(
	reporter: Reporter,
	asked: ReadonlySet<DefinedKind>,
	taken: ReadonlySet<DefinedKind>,
	refused: BackupError,
): void {
	const left = Array.from(asked.difference(taken)).join(', ')
	reporter.warn(`this server does not export ${left}: they are written beside its export (${refused.message})`)
}

export function clusterKey({ key, algorithm }: Pick<Seal, 'key' | 'algorithm'>): ClusterKey {
	return { algorithm, bytes: Uint8Array.from(key.secret.export()) }
}

/** Errors: `CONFIG_INVALID` when a key would go over an open connection. */
export function assertKeyMayGo(
	{ isSecure, sendKeyInClear }: Pick<ClusterBackupOptions, 'isSecure' | 'sendKeyInClear'>,
	key: object | undefined,
): void {
	if (key === undefined || isSecure || sendKeyInClear === true) return
	throw new BackupError(
		'CONFIG_INVALID',
		'the cluster needs the encryption key, and the connection to it is not encrypted',
		{
			advice: 'connect by grpcs:, or give --send-key-in-clear, or use --engine client, which keeps the key here',
		},
	)
}
