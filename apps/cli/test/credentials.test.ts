import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { claimOf, credentialsOf } from '../src/connection/credentials.ts'
import { withoutSecrets } from '../src/output/secrets.ts'

let directory: string
beforeAll(async () => {
	directory = await mkdtemp(join(tmpdir(), 'ydbackup-cli-'))
})
afterAll(() => rm(directory, { recursive: true, force: true }))

test('nothing means anonymous', () => {
	expect(claimOf({}, {})).toEqual({ kind: 'anonymous' })
	expect(claimOf({}, { YDB_ANONYMOUS_CREDENTIALS: '1' })).toEqual({ kind: 'anonymous' })
	expect(claimOf({}, { YDB_TOKEN: '', YDB_USER: '', YDB_METADATA_CREDENTIALS: '0' })).toEqual({ kind: 'anonymous' })
})

test('the environment is read in the order of the ydb CLI: token, metadata, service account, user', () => {
	const environment: Record<string, string> = {
		YDB_TOKEN: 'the-token',
		YDB_METADATA_CREDENTIALS: '1',
		YDB_SERVICE_ACCOUNT_KEY_FILE_CREDENTIALS: '/sa.json',
		YDB_USER: 'root',
		YDB_PASSWORD: '',
	}
	const kinds: string[] = []
	for (const name of [
		'YDB_TOKEN',
		'YDB_METADATA_CREDENTIALS',
		'YDB_SERVICE_ACCOUNT_KEY_FILE_CREDENTIALS',
		'YDB_USER',
		'',
	]) {
		kinds.push(claimOf({}, environment).kind)
		delete environment[name]
		if (name === 'YDB_USER') delete environment['YDB_PASSWORD']
	}
	expect(kinds).toEqual(['token', 'metadata', 'service-account-key', 'static', 'anonymous'])
})

test('one way by flags wins over everything in the environment', () => {
	const environment = { YDB_TOKEN: 'the-token', YDB_ANONYMOUS_CREDENTIALS: '1' }
	expect(claimOf({ 'use-metadata-credentials': true }, environment)).toEqual({ kind: 'metadata' })
	expect(claimOf({ user: 'root', 'no-password': true }, environment)).toEqual({
		kind: 'static',
		user: 'root',
		password: '',
	})
})

test('two ways by flags, a password without a user, a user without a password, and anonymous beside another way are refused', () => {
	const both = { 'token-file': 'a', 'sa-key-file': 'b' }
	expect(() => claimOf(both, {})).toThrow(/--token-file, --sa-key-file/)
	expect(() => claimOf({ 'token-file': 'a', user: 'root' }, {})).toThrow(/--token-file, --user/)
	expect(() => claimOf({ 'password-file': 'a' }, {})).toThrow(/without a user name/)
	expect(() => claimOf({ user: 'root' }, {})).toThrow(/no password is given for the user root/)
	expect(() => claimOf({ user: 'root', 'no-password': true, 'password-file': 'a' }, {})).toThrow(/contradict/)
	expect(() => claimOf({}, { YDB_PASSWORD: 'x' })).toThrow(/YDB_PASSWORD is set without/)
	expect(() => claimOf({}, { YDB_USER: 'root' })).toThrow(/YDB_USER is set without/)
	expect(() => claimOf({}, { YDB_TOKEN: 'x', YDB_ANONYMOUS_CREDENTIALS: '1' })).toThrow(/YDB_TOKEN and YDB_ANONYMOUS/)
})

test('the line break at the end of a password file is not a part of the password, other white space is', async () => {
	const file = join(directory, 'password')
	await writeFile(file, ' a password with spaces \r\n')
	expect(await credentialsOf(claimOf({ user: 'root', 'password-file': file }, {}))).toEqual({
		kind: 'static',
		user: 'root',
		password: ' a password with spaces ',
	})
})

test('a file that is not there or empty is named with the flag that asked for it', async () => {
	const gone = join(directory, 'gone')
	await expect(credentialsOf(claimOf({ 'token-file': gone }, {}))).rejects.toMatchObject({
		code: 'CONFIG_INVALID',
		message: expect.stringContaining(`${gone} of --token-file does not exist`),
	})
	const empty = join(directory, 'empty')
	await writeFile(empty, '\n')
	await expect(credentialsOf(claimOf({ 'token-file': empty }, {}))).rejects.toThrow(/is empty/)
	await expect(credentialsOf(claimOf({}, { SA_KEY_FILE: directory }))).rejects.toThrow(/cannot be read/)
})

test('whatever secret was read cannot stand in any output', async () => {
	const token = join(directory, 'token')
	await writeFile(token, 'canary/token+1\n')
	const key = join(directory, 'key.json')
	await writeFile(key, JSON.stringify({ id: 'x', private_key: '-----BEGIN-----\ncanary-private\n' }))
	await credentialsOf(claimOf({ 'token-file': token }, {}))
	await credentialsOf(claimOf({ 'sa-key-file': key }, {}))
	await credentialsOf(claimOf({ user: 'u' }, { YDB_PASSWORD: 'canary "password"' }))
	const text = `canary/token+1 ${encodeURIComponent('canary/token+1')} -----BEGIN-----\ncanary-private\n ${JSON.stringify({ p: 'canary "password"' })}`
	expect(withoutSecrets(text)).not.toContain('canary')
})
