import type { Storage } from '@ydbackup/core'

import type { OpenedBackup } from '../encryption/open-backup.ts'
import type { Reporter } from '../events/reporter.ts'
import { errorOf } from '../part/finding.ts'
import type { RestoreChoice } from '../restore/restore-plan.ts'
import { openChain, type OpenedChain } from './open-chain.ts'

export interface OpenChosenOptions {
	readonly storage: Storage
	/** The full backup first. */
	readonly backups: readonly OpenedBackup[]
	readonly choice: RestoreChoice
	readonly acceptNativeDamage: boolean
	readonly reporter: Reporter
	readonly signal: AbortSignal | undefined
}

/** Opens what is chosen of a backup; what is wrong with it is thrown as one error, and what may be accepted is warned about. */
export async function openChosen(options: OpenChosenOptions): Promise<OpenedChain> {
	const { storage, backups, choice, reporter, signal } = options
	const { id } = backups.at(-1)!.manifest
	const others = backups.length > 1 ? ` and the ${backups.length - 1} that it builds upon` : ''
	reporter.phase('check', `looking at the objects of ${id}${others}`)
	const tables = new Set([...choice.tables, ...choice.objects].flatMap((item) => item.prefix ?? []))
	const chain = await openChain({ storage, backups, tables, level: 'contents', signal })
	const fatal = chain.findings.filter((finding) => finding.severity === 'data' || !options.acceptNativeDamage)
	if (fatal.length > 0) throw errorOf(fatal, id)
	for (const finding of chain.findings) reporter.warn(finding.message, finding.path)
	return chain
}
