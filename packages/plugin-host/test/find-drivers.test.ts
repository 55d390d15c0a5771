import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

import { findDrivers } from '../src/index.ts'
import { declared, install } from './packages.ts'

test('finds what packages declare, by scheme and package, and imports none of them', async () => {
	const trap = { files: { 'driver.js': 'throw new Error("imported")' } }
	const packages = await install({
		'left-pad': {},
		'@acme/tape': { ...trap, pjson: { version: '2.0.0-rc.1', ydbackup: declared('tape') } },
		'acme-two': {
			...trap,
			pjson: { ydbackup: { contract: 1, drivers: { b: { summary: 'B' }, a: { summary: 'A' } } } },
		},
		'z-first': { ...trap, pjson: { ydbackup: declared('a') } },
	})
	const entries = findDrivers({ packages })
	expect(entries.map(({ scheme, packageName }) => `${scheme} ${packageName}`)).toEqual([
		'a acme-two',
		'a z-first',
		'b acme-two',
		'tape @acme/tape',
	])
	expect(entries.at(-1)).toEqual({
		scheme: 'tape',
		summary: 'a store for tape',
		packageName: '@acme/tape',
		version: '2.0.0-rc.1',
		root: packages[1]!.root,
		origin: 'core',
		problem: undefined,
	})
})

test('passes over packages without drivers, however odd their package.json is', () => {
	const of = (pjson: unknown): unknown =>
		findDrivers({ packages: [{ name: 'x', root: '/x', version: '1.0.0', pjson }] })
	for (const pjson of [
		null,
		undefined,
		'text',
		[],
		{},
		{ ydbackup: null },
		{ ydbackup: 'yes' },
		{ ydbackup: [] },
		{ ydbackup: {} },
		{ ydbackup: { contract: 1, drivers: ['file'] } },
		{ ydbackup: { contract: 1, drivers: {} } },
	])
		expect(of(pjson)).toEqual([])
})

test.for<[unknown, string]>([
	[declared('acme', 2), 'contract 2'],
	[declared('acme', '1'), 'contract "1"'],
	[{ drivers: { acme: { summary: 'tapes' } } }, 'contract undefined'],
	[{ contract: 1, drivers: { acme: {} } }, 'no summary'],
	[{ contract: 1, drivers: { acme: 'tapes' } }, 'no summary'],
	[declared('S3'), '"S3" is no URL scheme'],
	[declared('a b'), '"a b" is no URL scheme'],
	[declared(''), '"" is no URL scheme'],
])('lists a driver declared as %j with the problem that it has', ([ydbackup, problem]) => {
	const [entry, ...more] = findDrivers({
		packages: [{ name: 'acme', root: '/x', version: '1.0.0', pjson: { ydbackup } }],
	})
	expect(more).toEqual([])
	expect(entry).toMatchObject({ packageName: 'acme', origin: 'folder', problem: expect.stringContaining(problem) })
})

test('takes every driver package of this repository', () => {
	const plugins = join(import.meta.dirname, '../../../plugins')
	const packages = readdirSync(plugins).map((name) => {
		const root = join(plugins, name)
		const pjson = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { name: string; version: string }
		return { name: pjson.name, version: pjson.version, root, pjson }
	})
	const entries = findDrivers({ packages })
	expect(entries.map(({ scheme }) => scheme)).toContain('file')
	for (const { problem } of entries) expect(problem).toBeUndefined()
})
