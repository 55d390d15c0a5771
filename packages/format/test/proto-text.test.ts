import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { isBackupError, type ProtoField, type ProtoText } from '@ydbackup/core'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { parseProtoText, printProtoText } from '../src/index.ts'

const fixtures = join(import.meta.dirname, 'fixtures')
const text = (...fields: [string, string | ProtoText | Uint8Array][]): ProtoText =>
	fields.map(([name, value]): ProtoField => {
		if (typeof value === 'string') return { name, value: { kind: 'scalar', text: value } }
		if (value instanceof Uint8Array) return { name, value: { kind: 'bytes', bytes: value } }
		return { name, value: { kind: 'message', fields: value } }
	})
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)
const plain = (tree: ProtoText): unknown =>
	tree.map(({ name, value }) => [
		name,
		value.kind === 'message' ? plain(value.fields) : value.kind === 'bytes' ? Array.from(value.bytes) : value.text,
	])

test.for([
	'native-export/checksums-table/scheme.pb',
	'native-export/checksums-table/permissions.pb',
	'native-export/changefeed/update_feed1/changefeed_description.pb',
	'native-export/changefeed/update_feed1/topic_description.pb',
	'native-dump/series/scheme.pb',
	'native-dump/series/updates_feed/topic_description.pb',
	'native-dump/permissions/owner-only.pb',
	'native-dump/permissions/owner-and-grant.pb',
	'native-dump/permissions/owner-and-set-older-sdk.pb',
])('%s comes back byte for byte', (name) => {
	const file = readFileSync(join(fixtures, name))
	expect(Buffer.from(printProtoText(parseProtoText(file, name)))).toEqual(file)
})

test('every byte is escaped as absl::CEscape does', () => {
	const all = Uint8Array.from({ length: 256 }, (_, byte) => byte)
	const printed = printProtoText(text(['a', all]))
	expect(printed.startsWith(String.raw`a: "\000\001\002\003\004\005\006\007\010\t\n\013\014\r\016`)).toBe(true)
	expect(printed).toContain(String.raw`\037 !\"#$%&\'()*+,-./0123456789:;<=>?@ABC`)
	expect(printed).toContain(String.raw`Z[\\]^_` + '`abc')
	expect(printed).toContain(String.raw`xyz{|}~\177\200\201`)
	expect(printed.endsWith('\\376\\377"\n')).toBe(true)
	expect(plain(parseProtoText(printed, 'x'))).toEqual([['a', Array.from(all)]])
})

test('text outside ASCII is printed in octal, as YDB prints it', () => {
	expect(printProtoText(text(['name', Buffer.from('Ж')]))).toBe('name: "\\320\\226"\n')
})

test('an empty message has both its lines', () => {
	expect(printProtoText(text(['read_from', []]))).toBe('read_from {\n}\n')
})

test('unknown fields are left out of native files at any depth, and kept on demand', () => {
	const tree = text(['a', '1'], ['17', '2'], ['b', text(['18', text(['c', '3'])], ['d', '4'])])
	expect(printProtoText(tree)).toBe('a: 1\nb {\n  d: 4\n}\n')
	const kept = printProtoText(tree, { unknownFields: 'keep' })
	expect(kept).toBe('a: 1\n17: 2\nb {\n  18 {\n    c: 3\n  }\n  d: 4\n}\n')
	expect(plain(parseProtoText(kept, 'x'))).toEqual(plain(tree))
})

test('the kind of an unknown number, which its hex tells, survives', () => {
	expect(printProtoText(parseProtoText('5: 0x0000002a', 'x'), { unknownFields: 'keep' })).toBe('5: 0x0000002a\n')
})

test.for<[string, unknown]>([
	['a: {b: 1}', [['a', [['b', '1']]]]],
	['a < b: 1 >', [['a', [['b', '1']]]]],
	[
		'a { b: 1; c: 2, d: 3 }',
		[
			[
				'a',
				[
					['b', '1'],
					['c', '2'],
					['d', '3'],
				],
			],
		],
	],
	['# one\na: 1 # two\n#three', [['a', '1']]],
	[
		'a: [1, 2,3] b: []',
		[
			['a', '1'],
			['a', '2'],
			['a', '3'],
		],
	],
	[
		'a [{b:1}, <c:2>]',
		[
			['a', [['b', '1']]],
			['a', [['c', '2']]],
		],
	],
	[`a: "x" 'y'\n "z"`, [['a', [0x78, 0x79, 0x7a]]]],
	[`a: 'it"s'`, [['a', Array.from(Buffer.from('it"s'))]]],
	['a: "\\x41\\101\\u0416\\U0001F600\\ud83d\\ude00\\?\\a"', [['a', Array.from(Buffer.from('AAЖ😀😀?\u0007'))]]],
	['a: "Ж"', [['a', Array.from(Buffer.from('Ж'))]]],
	['a: "\\1a"', [['a', [1, 0x61]]]],
	[
		'a: -5 b: - 7',
		[
			['a', '-5'],
			['b', '-7'],
		],
	],
	[
		'a: 0x1F b: 017 c: -0x10',
		[
			['a', '31'],
			['b', '15'],
			['c', '-16'],
		],
	],
	[
		'a: 1.5f b: 1e+10 c: .5 d: 3.',
		[
			['a', '1.5'],
			['b', '1e+10'],
			['c', '.5'],
			['d', '3.'],
		],
	],
	[
		'a: inf b: -Infinity c: NaN',
		[
			['a', 'inf'],
			['b', '-inf'],
			['c', 'nan'],
		],
	],
	[
		'a: TRUE_ENUM b: true',
		[
			['a', 'TRUE_ENUM'],
			['b', 'true'],
		],
	],
	['[type.googleapis.com/x.Y] { a: 1 }', [['[type.googleapis.com/x.Y]', [['a', '1']]]]],
	['a:18446744073709551615', [['a', '18446744073709551615']]],
	['', []],
	['  \n\t\r\n', []],
	['a:1b:2', 'error'],
])('%s', ([source, expected]) => {
	if (expected === 'error') expect(() => parseProtoText(source, 'x')).toThrow('x:1:3')
	else expect(plain(parseProtoText(source, 'x'))).toEqual(expected)
})

test.for<[string, string]>([
	['a {\n  b: "x\n}', 'f.pb:2:6: this string has no end on its line'],
	['a: "\\', 'f.pb:1:4: this string has no end'],
	['a: "\\q"', 'f.pb:1:5: this escape'],
	['a: "\\777"', 'f.pb:1:5: this escape'],
	['a: "\\ud83d"', 'f.pb:1:5: this escape'],
	['a: "\\U00110000"', 'f.pb:1:5: this escape'],
	['a {', 'f.pb:1:4: the text ends where "}" is expected'],
	['a { b: 1 >', '">" stands where the name of a field'],
	['a }', '"}" stands where ":" or "{" is expected'],
	['}', 'the name of a field'],
	['a', 'the text ends where ":" or "{"'],
	['a:', 'the text ends where a value'],
	['a 1', '":" or "{"'],
	['a: [1, ]', 'a value'],
	['a: [1 2]', '"]"'],
	['a [1]', '"{" is expected'],
	['a: -true', 'a value'],
	['a: 1.2.3', 'a value'],
	['a: 09', 'a value'],
	['1.5: 2', 'the name of a field'],
	['a: Ж', 'a byte 208 cannot stand here'],
	['a: 1 \u0000', 'a byte 0 cannot stand here'],
])('%j is refused with its place', ([source, message]) => {
	expect(() => parseProtoText(source, 'f.pb')).toThrow(message)
})

test('messages too deep inside each other are an error, not a stack overflow', () => {
	const deep = (levels: number): string => 'a{'.repeat(levels) + '}'.repeat(levels)
	expect(printProtoText(parseProtoText(deep(100), 'x')).length).toBeGreaterThan(100)
	expect(() => parseProtoText(deep(101), 'x')).toThrow('inside each other')
	expect(() => parseProtoText('a{'.repeat(2_000_000), 'x')).toThrow('inside each other')
})

const scalars = fc.constantFrom(
	'0',
	'1',
	'-7',
	'18446744073709551615',
	'true',
	'UTF8',
	'0.5',
	'1e+20',
	'inf',
	'-inf',
	'nan',
)
const names = fc.stringMatching(/^[a-z_][a-z0-9_]{0,8}$/)
const { tree } = fc.letrec<{ tree: ProtoText; field: ProtoField }>((tie) => ({
	tree: fc.array(tie('field'), { maxLength: 5 }),
	field: fc.record({
		name: names,
		value: fc.oneof(
			{ depthSize: 'small' },
			scalars.map((one) => ({ kind: 'scalar' as const, text: one })),
			fc.uint8Array({ maxLength: 20 }).map((one) => ({ kind: 'bytes' as const, bytes: one })),
			tie('tree').map((fields) => ({ kind: 'message' as const, fields })),
		),
	}),
}))

test('any tree survives printing and parsing', () => {
	fc.assert(
		fc.property(tree, (one) => {
			const printed = printProtoText(one)
			expect(plain(parseProtoText(printed, 'x'))).toEqual(plain(one))
			expect(printProtoText(parseProtoText(Buffer.from(printed), 'x'))).toBe(printed)
		}),
		{ numRuns: 300 },
	)
})

test('damaged text is read or refused with FORMAT_INVALID, and nothing else happens', () => {
	const source = readFileSync(join(fixtures, 'native-export/changefeed/update_feed1/topic_description.pb'))
	fc.assert(
		fc.property(fc.nat(source.length - 1), fc.uint8Array({ maxLength: 4 }), fc.nat(3), (at, insert, cut) => {
			const damaged = Buffer.concat([source.subarray(0, at), insert, source.subarray(at + cut)])
			try {
				const read = parseProtoText(damaged, 'x')
				expect(plain(parseProtoText(printProtoText(read, { unknownFields: 'keep' }), 'y'))).toEqual(plain(read))
			} catch (error) {
				if (!isBackupError(error, 'FORMAT_INVALID')) throw error
				expect(error.message).toMatch(/^x:\d+:\d+: /u)
			}
		}),
		{ numRuns: 1000 },
	)
})

test('bytes are copied out of the text, so that the text may be reused', () => {
	const source = Buffer.from('a: "xyz"')
	const [field] = parseProtoText(source, 'x')
	source.fill(0)
	expect(field?.value).toEqual({ kind: 'bytes', bytes: bytes(0x78, 0x79, 0x7a) })
})
