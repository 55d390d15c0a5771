import { type ChildProcess, spawn } from 'node:child_process'
import { open } from 'node:fs/promises'

import { BackupError, type KeyProvider, throwIfInterrupted } from '@ydbackup/core'

import { keepSecret } from '../output/secrets.ts'
import { type KeySource, readKeyText } from './key-source.ts'

/** A key of 16 or 32 bytes fits many times over; a file or an output above this is none. */
const MAX_BYTES = 4096
const COMMAND_MS = 60_000

/** The provider that a source stands for. */
export function keyProvider(source: KeySource, environment: NodeJS.ProcessEnv): KeyProvider {
	switch (source.kind) {
		case 'file':
			return { name: `the file ${source.path}`, getKey: () => keyOfFile(source.path) }
		case 'env':
			return {
				name: `the environment variable ${source.name}`,
				getKey: async () => keyOfVariable(source.name, environment),
			}
		case 'command':
			return { name: 'the key command', getKey: ({ signal } = {}) => keyOfCommand(source.command, signal) }
	}
}

/** Raw bytes, as the `ydb` CLI reads them. */
async function keyOfFile(path: string): Promise<Uint8Array> {
	try {
		await using file = await open(path)
		const { bytesRead, buffer } = await file.read(Buffer.alloc(MAX_BYTES), 0, MAX_BYTES, 0)
		const bytes = Uint8Array.from(buffer.subarray(0, bytesRead))
		keepSecret(Buffer.from(bytes).toString('latin1'))
		return bytes
	} catch (error) {
		const reason = (error as NodeJS.ErrnoException).code ?? 'it cannot be read'
		throw new BackupError('KEY_UNAVAILABLE', `the key file ${path} cannot be read: ${reason}`, {
			advice: 'check the path and who may read it',
			cause: error,
		})
	}
}

function keyOfVariable(name: string, environment: NodeJS.ProcessEnv): Uint8Array {
	const text = environment[name]
	if (text === undefined || text === '') {
		throw new BackupError('KEY_UNAVAILABLE', `the environment variable ${name} holds no key`, {
			advice: 'set it to the key in hex or base64',
		})
	}
	return keyOfText(text, `the environment variable ${name}`)
}

function keyOfText(text: string, from: string): Uint8Array {
	keepSecret(text.trim())
	const bytes = readKeyText(text)
	if (bytes !== undefined) return bytes
	throw new BackupError('KEY_UNAVAILABLE', `${from} gives no key: ${text.trim().length} characters`, {
		advice: 'a key is 16 or 32 bytes, written as 32 or 64 hex digits, or in base64',
	})
}

/**
 * What a command prints. It is run by the shell in a group of its own, with our stderr and no input, and the whole group is ended when
 * it takes longer than a minute, prints too much, or the run is stopped.
 */
async function keyOfCommand(command: string, signal: AbortSignal | undefined): Promise<Uint8Array> {
	throwIfInterrupted(signal, 'running the key command')
	const limit = AbortSignal.timeout(COMMAND_MS)
	const stop = signal === undefined ? limit : AbortSignal.any([limit, signal])
	const child = spawn(command, { shell: true, detached: HAS_GROUPS, stdio: ['ignore', 'pipe', 'inherit'] })
	const { promise, resolve } = Promise.withResolvers<string | undefined>()
	function end(why: string): void {
		resolve(why)
		endGroup(child)
	}
	const onStop = (): void => end(`it did not end within ${COMMAND_MS / 1000} s`)
	stop.addEventListener('abort', onStop, { once: true })
	const pieces: Buffer[] = []
	let size = 0
	child.stdout.on('data', (piece: Buffer) => {
		size += piece.length
		if (size <= MAX_BYTES) pieces.push(piece)
		else end('it prints far more than a key')
	})
	child.once('error', () => end('it could not be run'))
	child.once('close', (code, by) => resolve(code === 0 ? undefined : `it ended with ${by ?? `code ${code}`}`))
	const trouble = await promise
	stop.removeEventListener('abort', onStop)
	child.stdout.destroy()
	throwIfInterrupted(signal, 'running the key command')
	if (trouble === undefined) return keyOfText(Buffer.concat(pieces).toString('latin1'), 'the key command')
	throw new BackupError('KEY_UNAVAILABLE', `the key command gives no key: ${trouble}`, {
		advice: 'run it by hand; it must print the key in hex or base64, and nothing else',
	})
}

const HAS_GROUPS = process.platform !== 'win32'

function endGroup(child: ChildProcess): void {
	if (child.pid === undefined) return
	try {
		if (HAS_GROUPS) process.kill(-child.pid, 'SIGKILL')
		else child.kill()
	} catch {
		// It has ended by itself.
	}
}
