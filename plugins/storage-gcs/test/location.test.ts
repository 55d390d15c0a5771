import { expect, test } from 'vitest'
import { placeOf, redacted } from '../src/location.ts'

test('bucket, prefix and parameters are read', () => {
	expect(placeOf(new URL('gs://backups'))).toMatchObject({
		bucket: 'backups',
		prefix: '',
		endpoint: 'https://storage.googleapis.com',
		anonymous: false,
		retention: 'Unlocked',
		timeoutMs: 30_000,
	})
	expect(
		placeOf(
			new URL('gs://back.up_s/a/b%20c/?endpoint=http://127.0.0.1:1/x/&project=my-p&retention=locked&timeout=2.5'),
		),
	).toMatchObject({
		prefix: 'a/b c/',
		endpoint: 'http://127.0.0.1:1/x',
		project: 'my-p',
		retention: 'Locked',
		timeoutMs: 2500,
	})
})

test('what cannot be a location is refused, with the nearest parameter', () => {
	for (const [text, words] of [
		['s3://backups', 'scheme'],
		['gs://user:pw@backups/x', 'credentials'],
		['gs://backups:80/x', 'port'],
		['gs://backups/x#y', 'fragment'],
		['gs://b/x', 'bucket'],
		['gs:///x', 'bucket'],
		['gs://backups/a//b', 'empty'],
		['gs://backups/%00', 'control'],
		['gs://backups/%E0', 'encoded'],
		[`gs://backups/${'x'.repeat(600)}`, 'too long'],
		['gs://backups/x?endpoint=nothing', 'no URL'],
		['gs://backups/x?endpoint=ftp://host', 'neither'],
		['gs://backups/x?endpoint=https://u:p@host', 'more than'],
		['gs://backups/x?endpoint=http://example.org', 'http'],
		['gs://backups/x?anonymous=yes', 'anonymous'],
		['gs://backups/x?retention=for-ever', 'retention'],
		['gs://backups/x?timeout=0', 'timeout'],
		['gs://backups/x?timeout=-1', 'timeout'],
		['gs://backups/x?project=A', 'project'],
		['gs://backups/x?project=abc&project=abd', 'twice'],
	] as const)
		expect(() => placeOf(new URL(text)), text).toThrow(
			expect.objectContaining({ code: 'LOCATION_INVALID', message: expect.stringContaining(words) }),
		)
	expect(() => placeOf(new URL('gs://backups/x?endpont=http://h'))).toThrow(
		expect.objectContaining({ advice: 'did you mean endpoint?' }),
	)
})

test('http to another machine is allowed without a token alone', () => {
	expect(placeOf(new URL('gs://backups/x?endpoint=http://gcs:4443&anonymous=true')).endpoint).toBe('http://gcs:4443')
	for (const host of ['localhost', '127.0.0.1', '[::1]'])
		expect(placeOf(new URL(`gs://backups/x?endpoint=http://${host}:1`)).endpoint).toBe(`http://${host}:1`)
	expect(() => placeOf(new URL('gs://backups/x?endpoint=http://127.0.0.1.evil.example'))).toThrow(/http/)
})

test('what is shown holds nothing secret', () => {
	const shown = redacted(
		new URL('gs://u:secret@backups/x?key=secret&endpoint=https://u:secret@h/p?s=secret&project=Secret%20x#secret'),
	)
	expect(shown).toBe('gs://backups/x?endpoint=https://h/p&project=…')
})
