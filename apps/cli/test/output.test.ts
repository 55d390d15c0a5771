import { ERROR_CODES, BackupError } from '@ydbackup/core'
import * as fc from 'fast-check'
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { EXIT_CODES, exitCodeOf } from '../src/exit/exit-codes.ts'
import { failureText } from '../src/failure/failure-text.ts'
import { failureOf } from '../src/failure/failure.ts'
import { envelopeOf, envelopeText } from '../src/output/envelope.ts'
import { printable } from '../src/output/printable.ts'
import { spellAge, spellBytes, spellDuration, spellRate } from '../src/output/quantity.ts'
import { tableText, widthOf } from '../src/output/table.ts'

test('every kind of error has its exit code, and the table in the docs says the same', async () => {
	const kinds = new Set(Object.values(ERROR_CODES))
	expect(new Set(Object.keys(EXIT_CODES))).toEqual(kinds)
	expect(Object.values(EXIT_CODES).toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 130])
	const page = await readFile(new URL('../../../docs/exit-codes.md', import.meta.url), 'utf8')
	const rows = [...page.matchAll(/^\| *(\d+) *\|[^|]*\|([^|]*)\|$/gm)]
	const inDocs = new Map(
		rows.flatMap(([, exit, codes]) =>
			[...(codes ?? '').matchAll(/`([A-Z_]+)`/g)].map(([, code]) => [code, Number(exit)]),
		),
	)
	for (const [code, kind] of Object.entries(ERROR_CODES))
		expect({ code, exit: inDocs.get(code) }).toEqual({ code, exit: exitCodeOf(kind) })
	expect(inDocs.size).toBe(Object.keys(ERROR_CODES).length)
})

test('an error says what failed, what to do and its code, and a stack only on demand', () => {
	const error = new BackupError('DATABASE_UNREACHABLE', 'nobody answers at grpc://a:1', {
		advice: 'check the port',
		retry: 'later',
	})
	expect(failureText(error)).toBe(
		'error: nobody answers at grpc://a:1\nadvice: check the port\nretry: later\ncode: DATABASE_UNREACHABLE (exit 6)\n',
	)
	expect(failureText(error)).not.toContain('output.test')
	expect(failureText(error, { debug: true })).toContain('output.test')
})

test('an error that nobody foresaw is a fault of ours, with exit code 1', () => {
	for (const thrown of [new TypeError('x is not a function'), 'a string', undefined, { code: 'CONFIG_INVALID' }]) {
		const failure = failureOf(thrown, 'backup list')
		expect({ code: failure.code, exit: exitCodeOf(failure.kind) }).toEqual({ code: 'INTERNAL', exit: 1 })
	}
})

test('an envelope is one line of JSON whatever is in it', () => {
	fc.assert(
		fc.property(fc.jsonValue(), fc.string({ unit: 'binary' }), (result, message) => {
			const failure = new BackupError('PARTIAL', message, { reason: message })
			const text = envelopeText(envelopeOf('restore', { result, failure }))
			expect(text.indexOf('\n')).toBe(text.length - 1)
			expect(JSON.parse(text)).toMatchObject({
				ydbackup: 1,
				command: 'restore',
				error: { code: 'PARTIAL', retry: 'no' },
			})
		}),
	)
	expect(envelopeText(envelopeOf('x', { result: { rows: 2n ** 64n } }))).toContain('"18446744073709551616"')
})

test('names from a database cannot move the cursor, forge a line or turn text around', () => {
	fc.assert(
		fc.property(fc.string({ unit: 'binary' }), (name) => {
			expect(printable(name)).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069\u2028\u2029]/u)
		}),
	)
	expect(printable('таблица/表/🗂️ "x"')).toBe('таблица/表/🗂️ "x"')
	const [title, ...rows] = tableText(['a\nb\u001b[2J'], [{ title: 'NAME', cell: (name) => name }]).split('\n')
	expect([title, rows]).toEqual(['NAME', ['a\\u000ab\\u001b[2J']])
})

test('columns of a table stay aligned with wide and combining characters', () => {
	const rows = ['plain', '表表', '🗂️x', 'e\u0301']
	const lines = tableText(rows, [
		{ title: 'NAME', cell: (name) => name },
		{ title: 'X', cell: () => '|' },
	]).split('\n')
	expect(new Set(lines.slice(1).map((line) => widthOf(line)))).toEqual(new Set([widthOf('plain  |')]))
})

test('quantities are spelled with three digits and the unit that fits', () => {
	expect([0, 999, 1000, 1234, 999_499, 999_500, 45.6e6, 1e15, 1.5e18].map(spellBytes)).toEqual([
		'0 B',
		'999 B',
		'1.00 kB',
		'1.23 kB',
		'999 kB',
		'1.00 MB',
		'45.6 MB',
		'1.00 PB',
		'1.50 EB',
	])
	expect([0, 400, 12_000, 59_600, 185_000, 7_620_000, 360_000_000].map(spellDuration)).toEqual([
		'0.0 s',
		'0.4 s',
		'12 s',
		'1m00s',
		'3m05s',
		'2h07m',
		'4d04h',
	])
	expect([-5, 40_000, 12 * 60_000, 5 * 3_600_000, 72 * 3_600_000].map(spellAge)).toEqual([
		'0 s',
		'40 s',
		'12 min',
		'5 h',
		'3 days',
	])
	expect([420_000, 7.5e6, 183.4e6].map(spellRate)).toEqual(['0.42 MB/s', '7.5 MB/s', '183 MB/s'])
})
