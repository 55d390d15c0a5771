import { isBackupError, type SourceObject } from '@ydbackup/core'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { planBackup } from '../src/backup/backup-plan.ts'
import { compileGlob } from '../src/choose/glob.ts'
import { ancestorsOf, isObjectPath, isWithin } from '../src/choose/object-path.ts'
import { createKindFilter } from '../src/choose/kind-filter.ts'
import { createMapping } from '../src/choose/path-mapping.ts'
import { createSelection } from '../src/choose/selection.ts'

const name = fc.string({ minLength: 1, maxLength: 4, unit: fc.constantFrom('a', 'b', 'B', '.', '[', '{', '😀', '-') })
const path = fc
	.array(name, { minLength: 1, maxLength: 4 })
	.map((names) => names.join('/'))
	.filter(isObjectPath)

test.each([
	['logs', 'logs', true],
	['logs', 'logs/a/b', true],
	['logs', 'logs2', false],
	['logs', 'a/logs', false],
	['**/logs', 'a/logs', true],
	['**/logs', 'logs', true],
	['**/logs', 'a/b/logs/c', true],
	['logs/**', 'logs/x', true],
	['logs/**', 'log/x', false],
	['*', 'anything/at/all', true],
	['**', 'anything/at/all', true],
	['a/*/c', 'a/b/c', true],
	['a/*/c', 'a/b/b/c', false],
	['a/**/c', 'a/c', true],
	['a/**/c', 'a/x/y/c/d', true],
	['user?', 'users', true],
	['user?', 'user', false],
	['user?', 'user😀', true],
	['*_2026', 'log_2026', true],
	['*a*b*', 'xxaxxbxx', true],
	['*a*b*', 'xxbxxaxx', false],
	['Logs', 'logs', false],
	['a[b]', 'ab', false],
	['a[b]', 'a[b]', true],
	['', 'a', false],
])('pattern %s on %s: %s', (pattern, subject, expected) => {
	expect(compileGlob(pattern).matches(subject)).toBe(expected)
})

test('a path without wildcards chooses exactly itself and what is below it', () => {
	fc.assert(
		fc.property(path, path, (pattern, subject) => {
			expect(compileGlob(pattern).matches(subject)).toBe(isWithin(subject, pattern))
		}),
	)
})

test('a pattern of many stars takes no exponential time', () => {
	const started = performance.now()
	expect(compileGlob(`${'*a'.repeat(30)}b`).matches('a'.repeat(200))).toBe(false)
	expect(performance.now() - started).toBeLessThan(500)
})

function object(at: string, kind: SourceObject['kind'] = 'row-table'): SourceObject {
	return { path: at, kind, serverKind: kind.toUpperCase(), permissions: [] }
}

const TREE = [
	object('a', 'directory'),
	object('a/b', 'directory'),
	object('a/b/t'),
	object('a/empty', 'directory'),
	object('a/view', 'view'),
	object('z'),
	object('a/odd', 'unknown'),
]

const ALL = createKindFilter({})

test('a plan takes tables, empty directories and every directory above them, and names what it cannot take', () => {
	const all = planBackup(TREE, createSelection({}, '/local'), ALL)
	expect(all.tables.map((table) => table.path)).toEqual(['a/b/t', 'z'])
	expect(all.directories.map((directory) => directory.path)).toEqual(['a', 'a/b', 'a/empty'])
	expect(all.objects.map(({ path, kind }) => `${kind} ${path}`)).toEqual(['view a/view'])
	expect(all.notes.map((note) => note.path)).toEqual(['a/odd'])
	expect(all.notes[0]?.kind).toBe('UNKNOWN')
	const one = planBackup(TREE, createSelection({ include: ['**/t'] }, '/local'), ALL)
	expect(one.tables.map((table) => table.path)).toEqual(['a/b/t'])
	expect(one.directories.map((directory) => directory.path)).toEqual(['a', 'a/b'])
	expect(one.notes).toEqual([])
	const whole = planBackup(TREE, createSelection({ include: ['/local'] }, '/local'), ALL)
	expect(whole.tables).toEqual(all.tables)
	const absolute = planBackup(TREE, createSelection({ paths: ['/local/a'], exclude: ['/local/a/b'] }, '/local'), ALL)
	expect(absolute.tables).toEqual([])
	expect(absolute.directories.map((directory) => directory.path)).toEqual(['a', 'a/empty'])
})

test('every path that is asked for and is not there is named, before anything happens', () => {
	const missing = (): unknown => planBackup(TREE, createSelection({ paths: ['a', 'nope', 'a/nope'] }, '/local'), ALL)
	expect(missing).toThrow(/nope, a\/nope/u)
	expect(codeOf(missing)).toBe('PATH_NOT_FOUND')
	expect(codeOf(() => createSelection({ paths: ['/other/a'] }, '/local'))).toBe('CONFIG_INVALID')
	expect(codeOf(() => createSelection({ paths: ['a/../b'] }, '/local'))).toBe('CONFIG_INVALID')
})

test('patterns that leave nothing are an error, and so is each that includes nothing; one that excludes nothing is a warning', () => {
	const wanted = createSelection({ include: ['z', 'nope', 'A'] }, '/local')
	expect(() => planBackup(TREE, wanted, ALL)).toThrow('nothing in the database matches nope, A')
	expect(codeOf(() => planBackup(TREE, wanted, ALL))).toBe('PATH_NOT_FOUND')
	expect(planBackup(TREE, wanted, ALL, undefined, true).warnings).toEqual([
		'the pattern nope matches nothing any more',
		'the pattern A matches nothing any more',
	])
	expect(codeOf(() => planBackup(TREE, createSelection({ exclude: ['**'] }, '/local'), ALL))).toBe('CONFIG_INVALID')
	expect(planBackup(TREE, createSelection({ exclude: ['z', 'nope'] }, '/local'), ALL).warnings).toEqual([
		'the pattern nope excludes nothing: nothing in the database matches it',
	])
	expect(planBackup([], createSelection({}, '/local'), ALL).warnings).toHaveLength(1)
})

test('the longest source of a mapping wins, and what is not mapped goes below the target', () => {
	const map = createMapping(
		{
			to: '/new/top',
			map: [
				['/old/a', '/new/x'],
				['a/b', 'y/z'],
				['t', ''],
			],
		},
		'/old',
		'/new',
	)
	expect(['a/c', 'a/b/t', 'a', 'ab', 't/inner', 'q/r'].map(map)).toEqual([
		'x/c',
		'y/z/t',
		'x',
		'top/ab',
		'inner',
		'top/q/r',
	])
	expect(
		codeOf(() =>
			createMapping(
				{
					map: [
						['a', 'b'],
						['/old/a', 'c'],
					],
				},
				'/old',
				'/new',
			),
		),
	).toBe('CONFIG_INVALID')
	expect(codeOf(() => createMapping({ to: '/elsewhere/x' }, '/old', '/new'))).toBe('CONFIG_INVALID')
})

test('a mapping keeps what is below below, and different paths of one place different', () => {
	fc.assert(
		fc.property(path, path, path, path, (from, to, one, other) => {
			const map = createMapping({ map: [[from, to]] }, '/old', '/new')
			expect(map(`${from}/${one}`)).toBe(`${to}/${one}`)
			expect(map(from)).toBe(to)
			if (one !== other) expect(map(`${from}/${one}`)).not.toBe(map(`${from}/${other}`))
			if (!isWithin(one, from)) expect(map(one)).toBe(one)
			for (const ancestor of ancestorsOf(map(one))) expect(isWithin(map(one), ancestor)).toBe(true)
		}),
	)
})

function codeOf(work: () => unknown): string {
	try {
		work()
	} catch (error) {
		return isBackupError(error) ? error.code : String(error)
	}
	return 'nothing was thrown'
}
