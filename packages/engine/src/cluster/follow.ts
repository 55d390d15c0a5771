import { BackupError, type ClusterOperation, isBackupError, type Operations } from '@ydbackup/core'

import type { Reporter } from '../events/reporter.ts'
import { cleanupSignal } from '../flow/cleanup-signal.ts'
import { reasonText } from '../events/reporter.ts'
import { sleep } from '../flow/sleep.ts'

export interface FollowOptions {
	readonly operations: Operations
	readonly operation: ClusterOperation
	/** `the export` or `the import`, for messages. */
	readonly what: string
	readonly reporter: Reporter
	/** It fails when nothing of it moves for this long. */
	readonly limitMs: number
	/** Bytes that have arrived; asked every 10 s at first. */
	readonly bytes?: (() => Promise<number>) | undefined
	/** How rarely they are asked at last, where that costs something; 10 s by default. */
	readonly bytesEveryMs?: number | undefined
	readonly onState?: ((operation: ClusterOperation) => void) | undefined
	readonly signal: AbortSignal | undefined
}

const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 3_000
const BYTES_EVERY_MS = 10_000

/**
 * Follows an operation to its true end and tells how far it is: parts, and bytes where they can be known. Errors: `DATABASE_REFUSED` with
 * the cluster's reason when it failed; `DEADLINE_EXCEEDED` when nothing moves; `INTERRUPTED`; `OPERATION_NOT_FOUND`.
 */
export async function follow(options: FollowOptions): Promise<ClusterOperation> {
	const { operations, what, reporter, limitMs, signal, onState } = options
	const startedAt = performance.now()
	let operation = options.operation
	let pause = FIRST_PAUSE_MS
	let last = ''
	let movedAt = startedAt
	let storedBytes = 0
	let askedAt = Number.NEGATIVE_INFINITY
	let askEvery = BYTES_EVERY_MS
	for (;;) {
		onState?.(operation)
		if (operation.state === 'failed') throw failureOf(operation, what)
		const now = performance.now()
		if (options.bytes !== undefined && (now - askedAt >= askEvery || operation.state === 'done')) {
			if (askedAt > 0) askEvery = Math.min(askEvery * 1.5, options.bytesEveryMs ?? BYTES_EVERY_MS)
			askedAt = now
			storedBytes = await options.bytes()
		}
		const parts = partsOf(operation)
		reporter.emit({
			type: 'progress',
			rows: 0,
			bytes: 0,
			storedBytes,
			...parts,
			elapsedMs: Math.round(now - startedAt),
		})
		if (operation.state === 'done') return operation
		const state = JSON.stringify([operation.progress, operation.percent, parts, storedBytes])
		if (state !== last) movedAt = now
		last = state
		if (now - movedAt >= limitMs) throw stalled(operation, what, now - movedAt)
		if (now - movedAt >= limitMs / 2) {
			const waiting = [`${what} by the cluster (${operation.progress ?? 'no progress told'})`]
			reporter.emit({ type: 'stalled', idleMs: Math.round(now - movedAt), waiting })
		}
		await sleep(Math.min(pause, limitMs), signal, `following ${what} by the cluster`)
		pause = Math.min(pause * 1.5, LONGEST_PAUSE_MS)
		operation = await operations.get(operation.id, { signal })
	}
}

/** Parts and objects of an operation, done and in all. */
export function partsOf({ items }: ClusterOperation): {
	readonly partsDone: number
	readonly partsTotal: number
	readonly tablesDone: number
	readonly tablesTotal: number
} {
	return {
		partsDone: items.reduce((sum, item) => sum + item.partsDone, 0),
		partsTotal: items.reduce((sum, item) => sum + item.partsTotal, 0),
		tablesDone: items.filter((item) => item.partsTotal > 0 && item.partsDone >= item.partsTotal).length,
		tablesTotal: items.length,
	}
}

function failureOf({ failure }: ClusterOperation, what: string): BackupError {
	return new BackupError(
		'DATABASE_REFUSED',
		`${what} by the cluster failed: ${failure?.message ?? 'it says not why'}`,
		{
			advice: 'see what the cluster says of its shards and of the store',
			...(failure?.reason !== undefined && { reason: failure.reason }),
			cause: failure,
		},
	)
}

function stalled({ id, progress }: ClusterOperation, what: string, idleMs: number): BackupError {
	return new BackupError(
		'DEADLINE_EXCEEDED',
		`nothing of ${what} by the cluster has moved for ${Math.round(idleMs / 1000)} s (${progress ?? 'no progress told'})`,
		{ advice: `see whether the nodes reach the store; ydbackup operation show "${id}" says how far it is` },
	)
}

const END_MS = 60_000

/** Takes an operation that has ended off the cluster's list; a failure is a warning, because nothing is lost by it. */
export async function forget(operations: Operations, id: string, reporter: Reporter): Promise<void> {
	try {
		await operations.forget(id, { signal: cleanupSignal(END_MS * 2, `forgetting ${id}`) })
	} catch (error) {
		reporter.warn(`the operation stays on the cluster's list: ${reasonText(error)}; ydbackup operation forget "${id}"`)
	}
}

/** Stops an operation and takes it off the list. False, with a warning, when it is not certain that it has ended. */
export async function cancel(
	operations: Operations,
	id: string,
	reporter: Reporter,
	onState?: (operation: ClusterOperation) => void,
): Promise<boolean> {
	const signal = cleanupSignal(END_MS, `cancelling ${id}`)
	try {
		let operation = await operations.get(id, { signal })
		if (operation.state === 'running') await operations.cancel(id, { signal })
		let pause = FIRST_PAUSE_MS
		for (; operation.state === 'running'; pause = Math.min(pause * 1.5, LONGEST_PAUSE_MS)) {
			await sleep(pause, signal, `cancelling ${id}`)
			operation = await operations.get(id, { signal })
		}
		onState?.(operation)
	} catch (error) {
		if (isBackupError(error, 'OPERATION_NOT_FOUND')) return true
		reporter.warn(`the operation may still run: ${reasonText(error)}; ydbackup operation cancel "${id}"`)
		return false
	}
	await forget(operations, id, reporter)
	return true
}
