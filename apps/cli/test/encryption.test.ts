import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { type BackupError, isBackupError } from '@ydbackup/core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { keysOfFlags } from '../src/encryption/key-flags.ts'
import { readKeyText } from '../src/encryption/key-source.ts'

let directory: string
beforeAll(async () => {
	directory = await mkdtemp(join(tmpdir(), 'ydbackup-cli-'))
})
afterAll(() => rm(directory, { recursive: true, force: true }))

async function keysOf(
	sources: readonly string[],
	environment: NodeJS.ProcessEnv = {},
	file?: string,
): Promise<string[]> {
	const flags = { 'encryption-key': sources, 'encryption-key-file': file }
	const keys = await Promise.all(keysOfFlags(flags, environment).map((provider) => provider.getKey()))
	return keys.map((key) => Buffer.from(key).toString('hex'))
}

async function failure(work: () => Promise<unknown>): Promise<BackupError> {
	const error: unknown = await (async () => work())().then(
		() => 'nothing was thrown',
		(thrown: unknown) => thrown,
	)
	return isBackupError(error) ? error : expect.fail(inspect(error))
}

const key = randomBytes(32)
const hex = key.toString('hex')
const nodeSays = (code: string): string => `command:${JSON.stringify(process.execPath)} -e ${JSON.stringify(code)}`

test('a key comes from a file as raw bytes, from a variable and a command as text', async () => {
	const path = join(directory, 'key')
	await writeFile(path, key)
	expect(await keysOf([`file:${path}`])).toEqual([hex])
	expect(await keysOf([], {}, path)).toEqual([hex])
	expect(await keysOf(['env:KEY'], { KEY: `${hex.toUpperCase()}\n` })).toEqual([hex])
	expect(await keysOf(['env:KEY'], { KEY: key.toString('base64') })).toEqual([hex])
	expect(await keysOf([nodeSays(`console.log('${hex}')`)])).toEqual([hex])
	expect(await keysOf([nodeSays(`process.stdout.write('${key.toString('base64')}')`)])).toEqual([hex])
})

test('several keys are given in an order, and flags win over the environment, ours over that of the ydb CLI', async () => {
	const path = join(directory, 'other')
	await writeFile(path, Buffer.alloc(16, 7))
	const other = '07'.repeat(16)
	const environment = {
		KEY: hex,
		YDBACKUP_ENCRYPTION_KEY: 'env:KEY',
		YDB_ENCRYPTION_KEY: '01'.repeat(32),
		YDB_ENCRYPTION_KEY_FILE: path,
	}
	expect(await keysOf(['env:KEY'], environment, path)).toEqual([other, hex])
	expect(await keysOf([], environment)).toEqual([hex])
	expect(await keysOf([], { ...environment, YDBACKUP_ENCRYPTION_KEY: '' })).toEqual(['01'.repeat(32)])
	expect(await keysOf([], { YDB_ENCRYPTION_KEY_FILE: path })).toEqual([other])
	expect(await keysOf([], {})).toEqual([])
})

test('texts that are no key are told apart by nothing but their length', () => {
	for (const text of ['', 'secret', hex.slice(1), `${hex}00`, 'g'.repeat(64), '='.repeat(44), `${'A'.repeat(42)}==`]) {
		expect(readKeyText(text), text).toBeUndefined()
	}
	expect(readKeyText(` ${'ab'.repeat(16)} `)).toHaveLength(16)
})

test('whatever is wrong with a source, the error names it and holds nothing of a key', async () => {
	const canary = 'c4a4a12y'.repeat(8)
	const path = join(directory, 'canary')
	await writeFile(path, canary)
	const cases: readonly (readonly [string, NodeJS.ProcessEnv, string])[] = [
		[canary, {}, 'CONFIG_INVALID'],
		[`key:${canary}`, {}, 'CONFIG_INVALID'],
		['file:', {}, 'CONFIG_INVALID'],
		['env:not a name', {}, 'CONFIG_INVALID'],
		[`file:${join(directory, 'nowhere')}`, {}, 'KEY_UNAVAILABLE'],
		['env:KEY', {}, 'KEY_UNAVAILABLE'],
		['env:KEY', { KEY: canary }, 'KEY_UNAVAILABLE'],
		[nodeSays(`console.log('${canary}')`), {}, 'KEY_UNAVAILABLE'],
		[nodeSays(`console.log('${hex}'); process.exitCode = 3`), {}, 'KEY_UNAVAILABLE'],
		[nodeSays(`console.log('x'.repeat(1e6))`), {}, 'KEY_UNAVAILABLE'],
		['command:no-such-program-anywhere 2>/dev/null', {}, 'KEY_UNAVAILABLE'],
	]
	for (const [source, environment, code] of cases) {
		const error = await failure(() => keysOf([source], environment))
		expect(error.code, source).toBe(code)
		const text = inspect(error, { depth: 9, showHidden: true }) + JSON.stringify(error)
		for (const secret of [canary, hex]) expect(text.includes(secret), source).toBe(false)
	}
})

test('a command that hangs is stopped with the run', async () => {
	const stop = new AbortController()
	const [provider] = keysOfFlags({ 'encryption-key': [nodeSays('setTimeout(() => {}, 60_000)')] }, {})
	const started = performance.now()
	setTimeout(() => stop.abort(), 200)
	expect((await failure(async () => provider?.getKey({ signal: stop.signal }))).code).toBe('INTERRUPTED')
	expect(performance.now() - started).toBeLessThan(5000)
})
