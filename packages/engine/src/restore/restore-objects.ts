import { BackupError, type ErrorCode, isBackupError, type ObjectPart, type ProtoText, textField } from '@ydbackup/core'

import { reasonText } from '../events/reporter.ts'
import { runAll } from '../flow/run-all.ts'
import { addProblem, grant } from './create-objects.ts'
import { circlesIn } from './order-objects.ts'
import type { ObjectWork, RestoreRun, TableWork } from './restore-run.ts'

const CHANGED_AT_ONCE = 4

/** What the database may say about one object while all the others can be restored. */
const ABOUT_ONE = new Set<ErrorCode>([
	'DATABASE_REFUSED',
	'DATABASE_PERMISSION',
	'PATH_NOT_FOUND',
	'PATH_EXISTS',
	'UNSUPPORTED',
	'FORMAT_INVALID',
])

function isAboutOne(error: unknown): error is BackupError {
	return isBackupError(error) && ABOUT_ONE.has(error.code)
}

/** Changefeeds with their consumers, after the rows: they must not tell of a restore. One that is refused is a problem and stops nothing. */
export async function addChangefeeds(run: RestoreRun, signal: AbortSignal | undefined): Promise<void> {
	if (!run.withChangefeeds) return
	const tables = run.tables.filter((work) => !work.existed && work.stored.changefeeds.length > 0)
	await runAll(tables, CHANGED_AT_ONCE, signal, async (work, stop) => {
		run.reporter.phase('changefeeds', `adding the changefeeds of ${work.target}`)
		if (run.progress.wasBegun('changefeeds')) await dropHalfMade(run, work, stop)
		for (const part of work.stored.changefeeds) {
			if (work.createdParts.includes(part.name)) continue
			await addPart(run, work, part, stop)
			await run.progress.changed(run, work)
		}
	})
}

/** A changefeed that an earlier process has added and not noted may lack its consumers. */
async function dropHalfMade(run: RestoreRun, work: TableWork, signal: AbortSignal): Promise<void> {
	const { changefeeds } = await run.sink.describeTies(work.target, { signal })
	const wanted = new Set(work.stored.changefeeds.map(({ name }) => name))
	for (const name of changefeeds) {
		if (!wanted.has(name) || work.createdParts.includes(name)) continue
		await run.sink.alterTable(work.target, [textField('drop_changefeeds', name)], { signal })
	}
}

export async function addPart(
	run: RestoreRun,
	work: TableWork | ObjectWork,
	part: ObjectPart,
	signal: AbortSignal,
): Promise<void> {
	try {
		await run.sink.createPart(work.target, part, { signal })
		work.createdParts.push(part.name)
	} catch (error) {
		if (signal.aborted || !isAboutOne(error)) throw error
		if (work.isThere && isBackupError(error, 'PATH_EXISTS')) {
			work.createdParts.push(part.name)
			return
		}
		addProblem(run, work.target, `its ${part.kind} ${part.name} was not restored: ${reasonText(error)}`)
	}
}

/**
 * All that is neither table nor directory, each after what it needs. Whatever is refused is tried again as long as others can still be made: what a
 * view reads may not stand in its text. What is refused at last is a problem.
 */
export async function createObjects(run: RestoreRun, signal: AbortSignal | undefined): Promise<void> {
	let waiting = run.objects.filter((work) => !work.existed && work.stage !== 'finished')
	if (waiting.length === 0) return
	run.reporter.phase('objects', `creating ${waiting.length} objects that are no tables`)
	const tables = new Set(run.tables.map(({ target }) => target))
	const circles = circlesIn(waiting.map(({ planned }) => planned))
	for (const circle of circles) run.reporter.warn(`objects need each other in a circle: ${circle}`)
	for (;;) {
		const refused = new Map<ObjectWork, BackupError>()
		for (const work of waiting) {
			const error = await create(run, work, tables, signal)
			if (error !== undefined) refused.set(work, error)
		}
		const isStuck = refused.size === waiting.length || refused.size === 0
		waiting = Array.from(refused.keys())
		if (!isStuck) continue
		for (const [work, error] of refused) {
			work.stage = 'refused'
			const advice = error.advice === undefined ? '' : `; ${error.advice}`
			const { secrets } = work.planned
			const needs =
				secrets.length === 0
					? ''
					: `; it needs the secrets ${secrets.join(', ')}, which are in no backup: create them, and restore it alone with include`
			addProblem(run, work.target, `the ${work.stored.kind} was not restored: ${error.message}${advice}${needs}`)
		}
		return
	}
}

/** The error of one that was refused. */
async function create(
	run: RestoreRun,
	work: ObjectWork,
	tables: ReadonlySet<string>,
	signal: AbortSignal | undefined,
): Promise<BackupError | undefined> {
	const { target, planned, stored } = work
	const filled = planned.fills.find((path) => tables.has(path))
	if (filled !== undefined) {
		return new BackupError('PATH_EXISTS', `it fills the table ${filled}, which was restored with its rows`, {
			advice: `drop ${filled} and create the ${stored.kind} again to have it filled anew, or keep the rows`,
		})
	}
	work.stage = 'creating'
	try {
		if (!work.isThere) await createAsFarAsItGoes(run, work, signal)
	} catch (error) {
		if (isAboutOne(error)) work.stage = 'waiting'
		if (signal?.aborted === true || !isAboutOne(error)) throw error
		return error
	}
	work.stage = 'created'
	await grant(run, target, stored.permissions, signal)
	const missing = stored.parts.filter(({ name }) => !work.createdParts.includes(name))
	for (const part of missing) await addPart(run, work, part, signal ?? new AbortController().signal)
	work.stage = 'finished'
	await run.progress.changed(run, work)
	return undefined
}

/** Attributes of a topic are the server's own matter: another version may refuse them, and the topic is there without. */
async function createAsFarAsItGoes(
	run: RestoreRun,
	{ target, planned, stored: { kind } }: ObjectWork,
	signal: AbortSignal | undefined,
): Promise<void> {
	const { definition } = planned
	const { sink } = run
	try {
		await sink.createObject(target, kind, definition, { signal })
	} catch (error) {
		const bare = kind === 'topic' && definition.form === 'message' ? withoutAttributes(definition.message) : undefined
		if (bare === undefined || !isBackupError(error, 'DATABASE_REFUSED')) throw error
		try {
			await sink.createObject(target, kind, { form: 'message', message: bare }, { signal })
		} catch {
			throw error
		}
		addProblem(run, target, `it has no attributes, because they were refused: ${reasonText(error)}`)
	}
}

function withoutAttributes(message: ProtoText): ProtoText | undefined {
	const bare = message.filter(({ name }) => name !== 'attributes')
	return bare.length === message.length ? undefined : bare
}
