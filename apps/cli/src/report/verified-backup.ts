import { BackupError, ERROR_CODES, type ErrorCode } from '@ydbackup/core'
import type { Finding, NativeReport, VerifyReport } from '@ydbackup/engine'
import { spellBytes, spellCount, spellDuration } from '../output/quantity.ts'
import { factsText, tableText } from '../output/table.ts'

/** The result of `backup verify`. */
export interface VerifiedBackup extends Omit<VerifyReport, 'proven'> {
	readonly repository: string
	/** With `--layout native`: what was looked at as an export of YDB; its findings stand among the others. */
	readonly native?: { readonly ok: boolean; readonly objects: number; readonly files: number; readonly rows: number }
}

export function verifiedBackup(
	verified: VerifyReport,
	native: NativeReport | undefined,
	repository: string,
): VerifiedBackup {
	const { proven: _, ...report } = verified
	if (native === undefined) return { repository, ...report }
	const { ok, objects, files, rows } = native
	const isNew = ({ key, message }: Finding): boolean =>
		!report.findings.some((one) => one.key === key && one.message === message)
	return {
		repository,
		...report,
		ok: report.ok && ok,
		findings: [...report.findings, ...native.findings.filter(isNew)],
		native: { ok, objects, files, rows },
	}
}

export function verifiedBackupText(verified: VerifiedBackup): string {
	const { id, level, ok, findings, tables, files, links, rows, plainBytes, storedBytes, elapsedMs } = verified
	const isStored = verified.checked === 'stored-bytes'
	const facts = factsText({
		repository: verified.repository,
		level: isStored
			? 'full: every stored byte was read; give --encryption-key to look inside'
			: level === 'full'
				? 'full: every byte was read'
				: 'quick: presence and sizes; --level full reads every byte',
		tables: spellCount(tables),
		chain: links.length === 1 ? undefined : `${links.length} backups, the first is ${links[0]}`,
		objects: spellCount(files),
		read: isStored
			? `${spellBytes(storedBytes)} stored`
			: level === 'full'
				? `${spellCount(rows)} rows, ${spellBytes(plainBytes)}, ${spellBytes(storedBytes)} stored`
				: undefined,
		native:
			verified.native &&
			`${spellCount(verified.native.objects)} objects in ${spellCount(verified.native.files)} files, as YDB's own import reads them`,
		time: spellDuration(elapsedMs),
	})
	if (ok) return `backup ${id} is whole${isStored ? ' as far as can be seen without its key' : ''}\n\n${facts}`
	const list = tableText(findings, [
		{ title: 'CODE', cell: ({ code }) => code },
		{ title: 'OBJECT', cell: ({ key }) => key },
		{ title: 'WHAT', cell: ({ message }) => message },
	])
	return `backup ${id} is damaged\n\n${facts}\n\n${list}`
}

/** Exit 3, beside the report; another kind only where every finding is of it (a manifest that is newer than this version). */
export function verifiedFailure({ id, findings, ok }: VerifiedBackup): BackupError | undefined {
	const [first] = findings
	if (ok || first === undefined) return undefined
	const code: ErrorCode =
		first.code in ERROR_CODES && ERROR_CODES[first.code] === 'damaged' ? first.code : 'OBJECT_DAMAGED'
	const more = findings.length === 1 ? '' : ` (and ${findings.length - 1} more)`
	return new BackupError(code, `backup ${id} is damaged: ${first.key}: ${first.message}${more}`, {
		advice: findings.every(({ severity }) => severity === 'native')
			? "all rows are there; only YDB's own import would stumble: restore with --accept-native-damage"
			: 'restore from another backup; tables of this one that are whole can be restored with --include',
	})
}
