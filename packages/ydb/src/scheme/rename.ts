import { TableServiceDefinition } from '@ydbjs/api/table'
import type { Driver } from '@ydbjs/core'
import { bounded } from '../call/bounded.ts'
import { mustSucceed } from '../call/operation.ts'
import { settle } from '../call/settle.ts'
import { kindAt } from './find-object.ts'

const CALL_MS = 120_000

type Moves = readonly (readonly [from: string, to: string])[]

/**
 * Renames tables in one request, which YDB carries out as one transaction. Source: rpc_rename_tables.cpp. When an answer was lost, a
 * refusal of the next try is settled by looking: all of it is done, or nothing.
 */
export async function renameTables(driver: Driver, moves: Moves, signal: AbortSignal | undefined): Promise<void> {
	const client = driver.createClient(TableServiceDefinition)
	const doing = `rename ${moves.length} tables at one moment`
	const tables = moves.map(([sourcePath, destinationPath]) => ({ sourcePath, destinationPath }))
	await settle(
		{ doing, signal },
		async () =>
			mustSucceed(await bounded(signal, CALL_MS, (bound) => client.renameTables({ tables }, { signal: bound })), doing),
		() => isDone(driver, moves, signal),
	)
}

async function isDone(driver: Driver, moves: Moves, signal: AbortSignal | undefined): Promise<boolean> {
	const taken = new Set(moves.map(([, to]) => to))
	const left = moves.map(([from]) => from).filter((from) => !taken.has(from))
	for (const path of taken) if ((await kindAt(driver, path, { signal })) === undefined) return false
	for (const path of left) if ((await kindAt(driver, path, { signal })) !== undefined) return false
	return true
}
