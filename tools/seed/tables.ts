import type { Value } from '@ydbjs/api/value'
import { allTypes } from './all-types.ts'
import { cell, type CellType, optional, type Plain, STORABLE } from './cell.ts'
import cities, { type City } from './cities.ts'

export interface SeedTable {
	/** Relative to the database. */
	readonly path: string
	readonly columns: readonly (readonly [name: string, type: CellType])[]
	readonly primaryKey: readonly string[]
	/** First keys (of the first key column) of the partitions after the first. */
	readonly splitBefore: readonly Plain[]
	/** Rows, each with one value per column, in key order. */
	rows(): Iterable<Value[]>
}

const { Utf8, Uint32, Uint64, Double } = STORABLE

function table(
	path: string,
	columns: readonly (readonly [string, CellType])[],
	primaryKey: readonly string[],
	splitBefore: readonly Plain[],
	rows: () => Iterable<readonly Plain[]>,
): SeedTable {
	return {
		path,
		columns,
		primaryKey,
		splitBefore,
		*rows() {
			for (const row of rows()) yield row.map((plain, at) => cell(columns[at]![1], plain))
		},
	}
}

function byCountry(limit: number): Map<string, City[]> {
	const groups = new Map<string, City[]>()
	for (const city of cities().slice(0, limit)) {
		const group = groups.get(city.country)
		if (group) group.push(city)
		else groups.set(city.country, [city])
	}
	return new Map([...groups].sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** The demo's database: real cities of the world, a summary in a sub-directory, every type with its edge values, and an empty table. */
export function seedTables(cityRows = Number.POSITIVE_INFINITY): SeedTable[] {
	const groups = byCountry(cityRows)
	return [
		table(
			'geo/cities',
			[
				['country', Utf8],
				['id', Uint32],
				['name', Utf8],
				['other_name', optional(Utf8)],
				['feature', optional(Utf8)],
				['region', optional(Utf8)],
				['population', optional(Uint64)],
				['longitude', Double],
				['latitude', Double],
			],
			['country', 'id'],
			['BR', 'DE', 'FR', 'IN', 'MX', 'RU', 'US'],
			function* () {
				for (const group of groups.values()) {
					const sorted = group.toSorted((a, b) => a.cityId - b.cityId)
					for (const city of sorted) {
						const [longitude, latitude] = city.loc.coordinates
						const { country, cityId, name, altName, featureCode, adminCode, population } = city
						yield [
							country,
							cityId,
							name,
							altName || null,
							featureCode,
							adminCode,
							BigInt(population),
							longitude,
							latitude,
						]
					}
				}
			},
		),
		table(
			'geo/summary/countries',
			[
				['country', Utf8],
				['cities', Uint32],
				['population', Uint64],
				['largest', optional(Utf8)],
			],
			['country'],
			[],
			function* () {
				for (const [country, group] of groups) {
					const largest = group.reduce((a, b) => (b.population > a.population ? b : a))
					const people = group.reduce((sum, city) => sum + BigInt(city.population), 0n)
					yield [country, group.length, people, largest.name]
				}
			},
		),
		allTypes,
		table('empty/table', [['id', optional(Uint32)]], ['id'], [], () => []),
	]
}

/** Directories that hold nothing, and who may do what: what a backup must keep besides rows. */
export const SEED_EMPTY_DIRECTORIES: readonly string[] = ['empty/directory']
export const SEED_OWNERS: readonly { readonly path: string; readonly owner: string }[] = [
	{ path: 'geo/cities', owner: 'cartographer@builtin' },
	{ path: 'empty/directory', owner: 'nobody@builtin' },
]
export const SEED_GRANTS: readonly {
	readonly path: string
	readonly subject: string
	readonly rights: readonly string[]
}[] = [
	{ path: 'geo', subject: 'traveller@builtin', rights: ['ydb.generic.list'] },
	{ path: 'geo/cities', subject: 'traveller@builtin', rights: ['ydb.generic.read'] },
	{ path: 'geo/cities', subject: 'editor@builtin', rights: ['ydb.generic.read', 'ydb.generic.write'] },
	{ path: 'empty/directory', subject: 'traveller@builtin', rights: ['ydb.generic.use'] },
]
