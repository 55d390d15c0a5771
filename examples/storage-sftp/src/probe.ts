import { randomBytes } from 'node:crypto'
import type { Lacking } from '@ydbackup/core'
import { leave } from './bodies.ts'
import { STATUS, statusOf } from './failure.ts'
import type { Files } from './files.ts'

/** What a server was found to do. */
export interface Findings {
	/** A second name for a file is refused where the name is taken. */
	readonly createOnly: true | Lacking
	/** How a file takes the name of another one at once; undefined when the server has no way. */
	readonly replace: 'posixRename' | 'rename' | undefined
	readonly syncsFiles: boolean
	readonly syncsDirectories: boolean
}

/** Nothing was tried: no put is expected, and one that comes has to do without. */
export const UNTRIED: Findings = {
	createOnly: { lacking: 'it was opened to read, and creating needs to be tried' },
	replace: undefined,
	syncsFiles: false,
	syncsDirectories: false,
}

/** Begins the names of what is no object. `~` is in no key, so no key can reach it. */
export const HIDDEN = '.~'

/**
 * Tries on files of its own, below names that no key has, and removes them.
 *
 * A plain rename is not trusted with create-only, even where it refuses a name that is taken: OpenSSH looks first and renames then
 * on a file system without hard links, and that is seen by nobody who tries it alone.
 */
export async function probe(files: Files, directory: string): Promise<Findings> {
	const stem = `${directory}/${HIDDEN}probe-${randomBytes(8).toString('hex')}`
	const [one, two, name] = [`${stem}-1`, `${stem}-2`, `${stem}-3`] as const
	try {
		const syncsFiles = await make(files, one, 1)
		await make(files, two, 2)
		const createOnly = await triesLink(files, { one, two, name })
		if (createOnly !== true && (await sizeOf(files, name)) === undefined) await make(files, name, 1)
		const replace = await triesReplace(files, { two, name })
		return { createOnly, replace, syncsFiles, syncsDirectories: syncsFiles && (await syncsDirectory(files, directory)) }
	} finally {
		await Promise.allSettled([one, two, name].map((path) => files.unlink(path)))
	}
}

async function sizeOf(files: Files, path: string): Promise<number | undefined> {
	return files.lstat(path).then(
		({ size }) => size,
		() => undefined,
	)
}

/** Makes a file of so many bytes; whether it could be synced. */
async function make(files: Files, path: string, bytes: number): Promise<boolean> {
	const handle = await files.open(path, 'wx')
	try {
		await files.write(handle, Buffer.alloc(bytes), 0)
		return await succeeds(files, files.sync(handle))
	} finally {
		leave(files, handle)
	}
}

async function triesLink(
	files: Files,
	{ one, two, name }: Readonly<Record<'one' | 'two' | 'name', string>>,
): Promise<true | Lacking> {
	const lacking = (why: string): Lacking => ({ lacking: `${why}, and nothing else creates atomically by SFTP` })
	try {
		await files.link(one, name)
	} catch (error) {
		if (files.isLost) throw error
		const isOffered = statusOf(error) !== STATUS.OP_UNSUPPORTED
		return lacking(isOffered ? 'hard links fail in this directory' : 'the server offers no hard links')
	}
	const isRefused = !(await succeeds(files, files.link(two, name)))
	return isRefused && (await sizeOf(files, name)) === 1 ? true : lacking('hard links replace what has the name')
}

async function triesReplace(
	files: Files,
	{ two, name }: Readonly<Record<'two' | 'name', string>>,
): Promise<Findings['replace']> {
	for (const way of ['posixRename', 'rename'] as const)
		if ((await succeeds(files, files[way](two, name))) && (await sizeOf(files, name)) === 2) return way
	return undefined
}

/** On many servers a directory can be opened as a file is, which makes its names durable. */
async function syncsDirectory(files: Files, directory: string): Promise<boolean> {
	const handle = await files.open(directory, 'r').catch(() => undefined)
	if (!handle) return false
	try {
		return await succeeds(files, files.sync(handle))
	} finally {
		leave(files, handle)
	}
}

/** False when the server refuses; a connection that is lost is no answer. */
async function succeeds(files: Files, work: Promise<void>): Promise<boolean> {
	try {
		await work
		return true
	} catch (error) {
		if (files.isLost) throw error
		return false
	}
}
