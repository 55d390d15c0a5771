import { expect, test } from 'vitest'
import { tokenize } from '../src/yql/lexer.ts'
import { parse } from '../src/yql/parser.ts'

function texts(text: string): string[] {
	return tokenize(text).map((token) =>
		token.kind === 'string' ? `${token.bytes.toString()}|${token.suffix}` : token.text,
	)
}

test('strings: quotes, escapes, suffixes, several lines', () => {
	expect(texts(`'a\\'b' "\\x41\\u00e9\\n"u @@{"a": "@@@@"}@@j`)).toEqual(["a'b|", 'Aé\n|u', '{"a": "@@"}|j', ''])
})

test('names, parameters, numbers, comments, positions', () => {
	const tokens = tokenize('SELECT -- all\n /* of\n it */ `a\\`b``c`, $p, 0x1Ful, 1.5e3, 7t')
	expect(tokens.map(({ kind }) => kind)).toEqual([
		'word',
		'name',
		'sign',
		'parameter',
		'sign',
		'number',
		'sign',
		'number',
		'sign',
		'number',
		'end',
	])
	expect(tokens[1]).toMatchObject({ value: 'a`b`c', at: { row: 3, column: 8 } })
	expect(tokens[5]).toMatchObject({ digits: '0x1F', suffix: 'ul' })
})

// Errors of the grammar count columns from 0, all others from 1. Source: YDB's SqlToYQLErrors with ANTLR 4.
test.each([
	['SELECT "abc', 1, 7, `token recognition error at: '"abc'`],
	['SELECT `abc', 1, 7, "token recognition error at: '`abc'"],
	['SELECT\n  1x', 2, 3, 'unknown suffix of a number: x'],
	['/* for ever', 1, 0, "token recognition error at: '/* for ever'"],
	['SELECT "\\xZZ"', 1, 8, 'invalid escape'],
	['SELECT 1 FROM', 1, 13, "mismatched input '<EOF>'"],
	['SELEC 1', 1, 0, "mismatched input 'SELEC'"],
	['UPSERT INTO t (a) VALUES (1', 1, 27, "expecting ')'"],
	['SELECT 1; SELECT 300ut', 1, 18, 'number limit overflow'],
	['CREATE TABLE t (a Wrong, PRIMARY KEY (a))', 1, 19, "Unknown simple type 'Wrong'"],
	['SELECT Date("2021-02-29")', 1, 8, 'Invalid value'],
	['SELECT Decimal("1", 36, 9)', 1, 8, 'Decimal takes'],
])('%s is refused where it goes wrong', (text, row, column, message) => {
	let thrown: unknown
	try {
		parse(text)
	} catch (error) {
		thrown = error
	}
	expect(thrown).toMatchObject({ status: 'GENERIC_ERROR', circumstances: { at: { row, column } } })
	expect((thrown as Error).message).toContain(message)
})

test('statements become a tree', () => {
	expect(parse(`;DECLARE $r AS List<Struct<a:Int32?,'b':Tuple<Utf8,Decimal(5,2)>>>;`)).toMatchObject([
		{
			kind: 'declare',
			name: '$r',
			type: { kind: 'list', item: { kind: 'struct', members: [{ name: 'a' }, { name: 'b' }] } },
		},
	])
	expect(
		parse(
			'create table if not exists `d/t` (a Uint64 not null, b Text, primary key (a), index i global async on (b) cover (a),) with (TTL = Interval("P1D") ON b AS SECONDS, UNIFORM_PARTITIONS = 4)',
		),
	).toMatchObject([
		{
			kind: 'createTable',
			path: 'd/t',
			ifNotExists: true,
			primaryKey: ['a'],
			indexes: [{ name: 'i', kind: 'async', columns: ['b'], cover: ['a'] }],
			settings: [{ name: 'TTL' }, { name: 'UNIFORM_PARTITIONS' }],
		},
	])
})

// Source: the grammar of YDB, SQLv1Antlr4.g.in.
test('AND binds closer than OR, comparison closer than AND, NOT closer than comparison', () => {
	expect(parse('SELECT a OR NOT b = 1 AND c FROM t')).toMatchObject([
		{
			select: {
				items: [
					{
						value: {
							operator: 'OR',
							right: { operator: 'AND', left: { operator: '=', left: { kind: 'not' } } },
						},
					},
				],
			},
		},
	])
	expect(parse('SELECT 1 + 2 | 3 * 4 < 5 ?? 6')).toMatchObject([
		{
			select: {
				items: [
					{ value: { operator: '<', left: { operator: '|', right: { operator: '*' } }, right: { operator: '??' } } },
				],
			},
		},
	])
})
