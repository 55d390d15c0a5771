import { spawn } from 'node:child_process'
import { chown, mkdtemp, readdir, readlink, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'
import { BackupError, type ListOptions, type ObjectBody, type Storage } from '@ydbackup/core'
import { onTestFinished } from 'vitest'

import driver from '../src/index.ts'

/** A new directory, gone after the test. */
export async function newDirectory(): Promise<string> {
	const directory = await mkdtemp(join(tmpdir(), 'storage-fs-'))
	onTestFinished(() => rm(directory, { recursive: true, force: true }))
	return directory
}

export const openAt = (directory: string, writable = true): Promise<Storage> =>
	driver.open(pathToFileURL(directory), { environment: {}, writable })

/** A repository in a directory of its own, and that directory. */
export async function newStore(): Promise<{ root: string; storage: Storage; outside: string }> {
	const directory = await newDirectory()
	const root = join(directory, 'repository')
	return { root, storage: await openAt(root), outside: join(directory, 'outside') }
}

export const bytesOf = (text: string): Uint8Array => Buffer.from(text)

export function pieces(...texts: string[]): () => AsyncGenerator<Uint8Array> {
	return async function* () {
		for (const text of texts) yield bytesOf(text)
	}
}

export async function textOf({ bytes }: ObjectBody): Promise<string> {
	const parts: Uint8Array[] = []
	for await (const part of bytes) parts.push(part)
	return Buffer.concat(parts).toString()
}

export async function keysOf(storage: Storage, prefix = '', options: ListOptions = {}): Promise<string[]> {
	const keys: string[] = []
	for await (const { key } of storage.list(prefix, options)) keys.push(key)
	return keys
}

export async function errorOf(work: Promise<unknown>): Promise<BackupError> {
	const error: unknown = await work.then(
		(value) => new Error(`it succeeded: ${JSON.stringify(value)}`),
		(thrown: unknown) => thrown,
	)
	if (error instanceof BackupError) return error
	throw error
}

/** Every path below a directory. */
export async function pathsBelow(directory: string): Promise<string[]> {
	return (await readdir(directory, { recursive: true })).toSorted()
}

/** Files of this process that are open below a directory. */
export async function openFiles(directory: string): Promise<string[]> {
	const targets = await Promise.all(
		(await readdir('/proc/self/fd').catch(() => [])).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
	)
	return targets.filter((target) => target.startsWith(directory))
}

export const NOBODY = 65_534
export const isRoot: boolean = process.getuid?.() === 0

/** Gives a path to the user of {@link inOtherProcess} with `ordinary`: root may do everything, and nothing would be refused. */
export async function giveAway(path: string): Promise<void> {
	if (isRoot) await chown(path, NOBODY, NOBODY)
}

export interface Answer {
	readonly value?: unknown
	readonly code?: string
	readonly message?: string
	readonly advice?: string
}

/** Runs one of the operations of `other-process.ts`, as an ordinary user where asked. */
export async function inOtherProcess(
	operation: string,
	directory: string,
	key: string,
	ordinary = false,
): Promise<Answer> {
	const child = startOtherProcess(operation, directory, key, ordinary)
	const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)])
	if (out === '') throw new Error(`the other process said nothing: ${err}`)
	return JSON.parse(out) as Answer
}

export function startOtherProcess(
	operation: string,
	directory: string,
	key: string,
	ordinary = false,
): ReturnType<typeof spawn> & { stdout: NodeJS.ReadableStream; stderr: NodeJS.ReadableStream } {
	const script = join(import.meta.dirname, 'other-process.ts')
	return spawn(process.execPath, ['--conditions=@ydbackup/source', script, operation, directory, key], {
		stdio: ['ignore', 'pipe', 'pipe'],
		cwd: '/',
		env: {},
		...(ordinary && isRoot ? { uid: NOBODY, gid: NOBODY } : {}),
	}) as ReturnType<typeof startOtherProcess>
}
