import { BackupError, throwIfInterrupted } from '@ydbackup/core'
import { RowHash } from '@ydbackup/rows'

import { runAll } from '../flow/run-all.ts'
import type { TableScheme } from '../part/contents.ts'
import type { RestoreRun } from './restore-run.ts'

const RANGES_AT_ONCE = 2

export interface ExpectedRows {
	readonly rows: number
	readonly rowHash: string | undefined
}

/**
 * Reads a restored table back, by the partitions it has now, and compares all rows with the hash of those of the backup. Errors:
 * `DATA_MISMATCH` naming the table.
 */
export async function compareRows(
	run: RestoreRun,
	target: string,
	expected: ExpectedRows,
	{ schema }: TableScheme,
	signal: AbortSignal,
): Promise<void> {
	const { ranges } = await run.sink.describeTable(target, { signal })
	const found = new RowHash(schema)
	await runAll(ranges, RANGES_AT_ONCE, signal, async (range, stop) => {
		const hash = new RowHash(schema)
		const onRestart = (reason: unknown): void => run.reporter.retry(`reading ${target} back`, reason)
		for await (const chunk of run.sink.read(target, schema, range, { signal: stop, onRestart })) {
			throwIfInterrupted(stop, `comparing ${target}`)
			hash.add(chunk)
			run.meter.touch()
		}
		found.merge(hash)
	})
	if (found.rows === expected.rows && found.digest() === expected.rowHash) return
	throw new BackupError(
		'DATA_MISMATCH',
		found.rows === expected.rows
			? `${target}: the restored rows are not those of the backup, although they are as many (${found.rows})`
			: `${target}: the backup has ${expected.rows} rows, and ${found.rows} were read back`,
		{ advice: 'see that nobody writes to the target, and restore again; report this when it happens twice' },
	)
}
