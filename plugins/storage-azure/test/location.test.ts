import { isBackupError } from '@ydbackup/core'
import { expect, test } from 'vitest'
import { accountOf } from '../src/credentials.ts'
import driver from '../src/index.ts'
import { placeOf, redacted } from '../src/location.ts'

const SECRET = 'c2VjcmV0LWtleQ=='
const place = (url: string): ReturnType<typeof placeOf> => placeOf(new URL(url))

function thrown(work: () => unknown): { code: string; text: string } {
	try {
		work()
	} catch (error) {
		if (isBackupError(error)) return { code: error.code, text: `${error.message}; ${error.advice}` }
		throw error
	}
	throw new Error('nothing was thrown')
}

test('a location names container, prefix, account and options', () => {
	expect(place('az://backups/a/b/?account=mystorage&tier=cool&immutability=locked&timeout=0.5')).toEqual({
		container: 'backups',
		prefix: 'a/b/',
		account: 'mystorage',
		endpoint: undefined,
		immutability: 'Locked',
		tier: 'Cool',
		timeoutMs: 500,
		shown: 'az://backups/a/b/?account=mystorage&immutability=locked&tier=cool&timeout=0.5',
	})
	expect(place('az://backups?endpoint=http://127.0.0.1:10000/')).toMatchObject({
		prefix: '',
		endpoint: 'http://127.0.0.1:10000',
		timeoutMs: 30_000,
	})
})

test('a location that cannot be read says why and what to write', () => {
	const bad: [string, RegExp][] = [
		['az://backups?acount=x', /"acount" is no parameter.*did you mean account/],
		['az://backups?region=x', /it takes account, endpoint/],
		['az://Backups', /cannot be the name of a container/],
		['az://ab', /cannot be the name of a container/],
		['az://a--b', /cannot be the name of a container/],
		['az:///x', /names no container/],
		['az://backups:80/x', /no port/],
		['az://backups#x', /fragment/],
		['az://backups?account=My_Storage', /account cannot be/],
		['az://backups?account=abc&account=abd', /account twice/],
		['az://backups?endpoint=ftp://h', /neither https nor http/],
		['az://backups?endpoint=nothing', /no URL/],
		['az://backups?tier=archive', /tier is one of hot, cool, cold/],
		['az://backups?timeout=0', /no number of seconds/],
		['az://backups?immutability=always', /one of unlocked, locked/],
		['az://backups/a//b', /empty/],
		['az://backups/a./b', /ends with a dot/],
		['az://backups/a%5Cb', /backslash/],
		[`az://backups/${'a'.repeat(600)}`, /too long/],
	]
	for (const [url, why] of bad) {
		const { code, text } = thrown(() => place(url))
		expect.soft(code, url).toBe('LOCATION_INVALID')
		expect.soft(text, url).toMatch(why)
	}
})

test('secrets in a location are refused and never shown', () => {
	const urls = [
		`az://user:${SECRET}@backups/x?account=mystorage`,
		`az://backups/x?sv=2024&sig=${SECRET}`,
		`az://backups?endpoint=https://h/?sig=${SECRET}`,
		`az://backups?endpoint=https://u:${SECRET}@h/`,
		`az://backups?key=${SECRET}`,
		`az://backups?account=${SECRET}`,
		`az://backups?timeout=${SECRET}`,
		`az://backups#${SECRET}`,
	]
	for (const url of urls) {
		const { code, text } = thrown(() => place(url))
		expect.soft(code, url).toBe('LOCATION_INVALID')
		expect.soft(text, url).not.toContain(SECRET)
		expect.soft(redacted(new URL(url)), url).not.toContain(SECRET)
	}
	expect(thrown(() => place(urls[1]!)).text).toContain('AZURE_STORAGE_SAS_TOKEN')
})

test('redacting never throws', () => {
	for (const url of ['az:', 'az:x', 'https://h', 'az://%ff/%ff?endpoint=%ff', 'az://x?endpoint=:::'])
		expect(typeof driver.redact(new URL(url))).toBe('string')
})

test('credentials come from the environment, a connection string before a key before a signature', () => {
	const at = place('az://backups?account=mystorage')
	const key = { AZURE_STORAGE_ACCOUNT: 'mystorage', AZURE_STORAGE_KEY: SECRET }
	const sas = { AZURE_STORAGE_SAS_TOKEN: '?sv=2024&se=2030-01-02T03:04:05Z&sig=abc%2B' }
	expect(accountOf(at, { ...key, ...sas })).toEqual({
		endpoint: 'https://mystorage.blob.core.windows.net',
		access: { kind: 'key', account: 'mystorage', key: SECRET },
		secrets: [SECRET],
	})
	expect(accountOf(at, sas)).toMatchObject({
		access: {
			kind: 'sas',
			token: 'sv=2024&se=2030-01-02T03:04:05Z&sig=abc%2B',
			expiresAt: new Date('2030-01-02T03:04:05Z'),
		},
	})
	expect(accountOf(at, {})).toMatchObject({ access: { kind: 'identity' }, secrets: [] })
	const string = `DefaultEndpointsProtocol=https;AccountName=mystorage;AccountKey=${SECRET};EndpointSuffix=core.chinacloudapi.cn`
	expect(accountOf(place('az://backups'), { ...sas, AZURE_STORAGE_CONNECTION_STRING: string })).toMatchObject({
		endpoint: 'https://mystorage.blob.core.chinacloudapi.cn',
		access: { kind: 'key', key: SECRET },
	})
	expect(
		accountOf(place('az://backups'), {
			AZURE_STORAGE_CONNECTION_STRING: 'BlobEndpoint=https://h/;SharedAccessSignature=sv=1&sig=x',
		}),
	).toMatchObject({ endpoint: 'https://h', access: { kind: 'sas', token: 'sv=1&sig=x' } })
	expect(
		accountOf(place('az://backups'), { AZURE_STORAGE_CONNECTION_STRING: 'UseDevelopmentStorage=true' }).endpoint,
	).toBe('http://127.0.0.1:10000/devstoreaccount1')
})

test('a service that is reached by address has its account in the path', () => {
	const environment = { AZURE_STORAGE_ACCOUNT: 'abc', AZURE_STORAGE_KEY: SECRET }
	const endpoint = (url: string): string => accountOf(place(`az://backups?endpoint=${url}`), environment).endpoint
	expect(endpoint('http://127.0.0.1:10000')).toBe('http://127.0.0.1:10000/abc')
	expect(endpoint('http://127.0.0.1:10000/other')).toBe('http://127.0.0.1:10000/other')
	expect(endpoint('http://localhost:10000/')).toBe('http://localhost:10000/abc')
	expect(endpoint('https://blobs.example.com')).toBe('https://blobs.example.com')
})

test('credentials that cannot be used say so without showing themselves', () => {
	const at = 'az://backups?account=mystorage'
	const bad: [string, Record<string, string>, string, RegExp][] = [
		[at, { AZURE_STORAGE_ACCOUNT: 'other', AZURE_STORAGE_KEY: SECRET }, 'LOCATION_INVALID', /different accounts/],
		[at, { AZURE_STORAGE_KEY: `${SECRET}!` }, 'CONFIG_INVALID', /base64/],
		[at, { AZURE_STORAGE_SAS_TOKEN: `sv=${SECRET}` }, 'CONFIG_INVALID', /no sig/],
		[at, { AZURE_STORAGE_CONNECTION_STRING: SECRET.replace(/=/g, '') }, 'CONFIG_INVALID', /Name=value/],
		[at, { AZURE_STORAGE_CONNECTION_STRING: `AccountKey=${SECRET}` }, 'CONFIG_INVALID', /AccountName/],
		[at, { AZURE_STORAGE_CONNECTION_STRING: 'AccountName=mystorage' }, 'CONFIG_INVALID', /neither AccountKey/],
		['az://backups', { AZURE_STORAGE_SAS_TOKEN: `sig=${SECRET}` }, 'LOCATION_INVALID', /names no storage account/],
		['az://backups?endpoint=https://h', { AZURE_STORAGE_KEY: SECRET }, 'CONFIG_INVALID', /no account is named/],
		['az://backups?endpoint=http://h', {}, 'LOCATION_INVALID', /plain http/],
	]
	for (const [url, environment, code, why] of bad) {
		const failure = thrown(() => accountOf(place(url), environment))
		expect.soft(failure.code, String(why)).toBe(code)
		expect.soft(failure.text, String(why)).toMatch(why)
		expect.soft(failure.text, String(why)).not.toContain(SECRET.slice(0, 10))
	}
})
