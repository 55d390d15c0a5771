import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isBackupError, type BackupError } from '@ydbackup/core'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { locationToUrl } from '../src/index.ts'

const CWD = '/home/user/my work'

function errorOf(text: string): BackupError {
	try {
		locationToUrl(text, CWD)
	} catch (error) {
		if (isBackupError(error)) return error
		throw error
	}
	throw new Error(`${text} was taken`)
}

test.for<[string, string]>([
	['/srv/backups', 'file:///srv/backups'],
	['/srv/backups/', 'file:///srv/backups'],
	['/srv/a/../b', 'file:///srv/b'],
	['backups', 'file:///home/user/my%20work/backups'],
	['./backups', 'file:///home/user/my%20work/backups'],
	['../backups', 'file:///home/user/backups'],
	['.', 'file:///home/user/my%20work'],
	['/srv/with space', 'file:///srv/with%20space'],
	['/srv/a#b', 'file:///srv/a%23b'],
	['/srv/a?b', 'file:///srv/a%3Fb'],
	['/srv/50%', 'file:///srv/50%25'],
	['/srv/a%20b', 'file:///srv/a%2520b'],
	['/srv/бэкап', 'file:///srv/%D0%B1%D1%8D%D0%BA%D0%B0%D0%BF'],
	['/srv/~/x', 'file:///srv/%7E/x'],
	['~user', 'file:///home/user/my%20work/%7Euser'],
	['/srv/s3://x', 'file:///srv/s3:/x'],
	['2026-01-01T10:00', 'file:///home/user/my%20work/2026-01-01T10:00'],
	['C:\\backups', 'file:///home/user/my%20work/C:%5Cbackups'],
	['C:/backups', 'file:///home/user/my%20work/C:/backups'],
	['file:///srv/backups', 'file:///srv/backups'],
	['FILE:///srv/backups', 'file:///srv/backups'],
	['file:///srv/a%20b', 'file:///srv/a%20b'],
	[
		's3://Bucket/Prefix?region=eu-1&endpoint=https%3A%2F%2Fx',
		's3://Bucket/Prefix?region=eu-1&endpoint=https%3A%2F%2Fx',
	],
	['acme+tape://host/x', 'acme+tape://host/x'],
])('%s is %s', ([text, url]) => {
	expect(locationToUrl(text, CWD).href).toBe(url)
})

test('any path comes back from its URL as it was', () => {
	const path = fc
		.string({ unit: 'grapheme', minLength: 1 })
		.filter((text) => !text.includes('\0') && text.trim() !== '' && !/^([A-Za-z][A-Za-z0-9+.-]+:|~(\/|$))/u.test(text))
	fc.assert(
		fc.property(path, (text) => {
			expect(fileURLToPath(locationToUrl(text, CWD))).toBe(resolve(CWD, text))
		}),
	)
})

test('a relative path is taken from the directory of the process', () => {
	expect(fileURLToPath(locationToUrl('backups'))).toBe(resolve('backups'))
})

test.each([
	'',
	'   ',
	'/srv/\0',
	's3:bucket',
	'file:srv',
	'nas:/srv',
	's3://a b/c',
	's3://host:port/x',
	'~',
	'~/backups',
])('%j is refused, with an example or what to write', (text) => {
	const error = errorOf(text)
	expect(error.code).toBe('LOCATION_INVALID')
	expect(error.advice).toContain('write ')
})

test.each([
	's3://canary@bucket/x',
	's3://user:canary@bucket/x',
	'acme://:canary@host',
	's3://bucket?secret_access_key=canary',
	's3://bucket?X-Amz-Signature=canary',
	's3://bucket?x-amz-security-token=canary',
	's3://bucket?AWSAccessKeyId=canary',
	'az://container?sig=canary',
	'az://container?account-key=canary',
	'acme://host?password=canary',
	'acme://host?region=x&PWD=canary',
	'acme://host?api_key=canary',
	'acme://host?private-key=canary',
	'acme://host?authorization=canary',
	'acme://host?key=canary',
])('%s is refused, and its secret is not repeated', (text) => {
	const error = errorOf(text)
	expect(error.code).toBe('CONFIG_INVALID')
	expect(error.advice).toContain('environment')
	expect(`${error.message} ${error.advice} ${String(error.cause)} ${error.stack}`).not.toContain('canary')
})

test('a URL that cannot be read does not come back in the error either', () => {
	for (const text of ['s3://user:canary@a b/c', 'file://user:canary@localhost/x', 's3:user:canary@bucket']) {
		const error = errorOf(text)
		expect(error.code).toBe('LOCATION_INVALID')
		expect(`${error.message} ${error.advice} ${String(error.cause)} ${error.stack}`).not.toContain('canary')
	}
})

test.each(['s3://bucket?region=x', 's3://bucket?kms_key_id=x', 's3://bucket?key_prefix=x', 'az://c?account=x'])(
	'%s has no secret',
	(text) => {
		expect(locationToUrl(text).href).toBe(text)
	},
)
