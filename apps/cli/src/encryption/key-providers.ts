import { spawn } from 'node:child_process'
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

/** What a command prints. It is run by the shell, with our stderr, and must end within a minute. */
async function keyOfCommand(command: string, signal: AbortSignal | undefined): Promise<Uint8Array> {
	throwIfInterrupted(signal, 'running the key command')
	const limit = AbortSignal.timeout(COMMAND_MS)
	const child = spawn(command, {
		shell: true,
		stdio: ['ignore', 'pipe', 'inherit'],
		signal: signal === undefined ? limit : AbortSignal.any([limit, signal]),
	})
	const pieces: Buffer[] = []
	let size = 0
	child.stdout.on('data', (piece: Buffer) => {
		size += piece.length
		if (size <= MAX_BYTES) pieces.push(piece)
		else child.kill()
	})
	const { promise, resolve } = Promise.withResolvers<string | undefined>()
	child.once('error', () => resolve('it could not be run, or was stopped'))
	child.once('close', (code, by) =>
		resolve(code === 0 ? undefined : `it ended with ${code === null ? by : `code ${code}`}`),
	)
	const trouble = await promise
	child.stdout.destroy()
	throwIfInterrupted(signal, 'running the key command')
	const reason = limit.aborted
		? `it did not end within ${COMMAND_MS / 1000} s`
		: size > MAX_BYTES
			? 'it prints far more than a key'
			: trouble
	if (reason === undefined) return keyOfText(Buffer.concat(pieces).toString('latin1'), 'the key command')
	throw new BackupError('KEY_UNAVAILABLE', `the key command gives no key: ${reason}`, {
		advice: 'run it by hand; it must print the key in hex or base64, and nothing else',
	})
}
