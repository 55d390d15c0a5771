import type { ImportFromS3Settings } from '@ydbjs/api/import'
import { YdbError } from '../error.ts'
import { pathExists, type SchemeTree } from '../scheme/tree.ts'
import { checkStore, excluding } from './export-items.ts'
import { ImportError } from './import-files.ts'
import { type MappedObject, normalExportPrefix, normalItemPrefix } from './layout.ts'
import type { Item } from './operation.ts'
import { FIELD, unknownNumber, unknownTexts } from './unknown-fields.ts'

const canonical = (path: string): string =>
	`/${path
		.split('/')
		.filter((name) => name !== '')
		.join('/')}`

/** Checks what can be checked before anything is read. Source: rpc_import.cpp, and its texts. */
export function checkImport(settings: ImportFromS3Settings): void {
	const { encryptionSettings, sourcePrefix, items } = settings
	checkStore(settings)
	if (encryptionSettings) {
		if (!encryptionSettings.Key.value?.key.length) throw new YdbError('BAD_REQUEST', 'No encryption key specified')
		if (sourcePrefix === '') throw new YdbError('BAD_REQUEST', 'No source prefix specified')
	}
	if (items.length === 0 && sourcePrefix === '')
		throw new YdbError('BAD_REQUEST', "No source prefix specified. Don't know where to import from")
	for (const { Source: source } of items) {
		if (source.case === 'sourcePath' && sourcePrefix === '')
			throw new YdbError('BAD_REQUEST', 'Common source prefix must be specified for filtering by source path')
		if (!source.value) throw new YdbError('BAD_REQUEST', 'Empty import item was specified')
	}
	excluding(unknownTexts(settings, FIELD.excludeRegexps))
}

/** How indexes come back: built from rows, read from their files, or read where there are files. Source: ydb_import.proto. */
export type IndexPopulation = 'build' | 'import' | 'auto'

export function populationOf(settings: ImportFromS3Settings): IndexPopulation {
	return (['build', 'build', 'import', 'auto'] as const)[unknownNumber(settings, FIELD.indexPopulation)] ?? 'build'
}

const item = (path: string, prefix: string, iv?: Buffer): Item => ({
	path,
	prefix,
	...(iv && { iv: iv.toString('hex') }),
	state: 'preparing',
	partsTotal: 0,
	partsDone: 0,
})

/** Items of an import without a common prefix. Source: FillItems of schemeshard_import__create.cpp. */
export function explicitItems(tree: SchemeTree, { items }: ImportFromS3Settings): Item[] {
	return items.map(({ Source: { value = '' }, destinationPath }) => {
		if (destinationPath === '') throw new YdbError('BAD_REQUEST', 'Empty import item was specified')
		const path = destinationPath.startsWith('/') ? canonical(destinationPath) : `${tree.database}/${destinationPath}`
		if (tree.find(path)) throw new YdbError('BAD_REQUEST', pathExists(path).message)
		return item(path, value)
	})
}

/** Items of an import with a common prefix, once the mapping is read. Source: FillItemsFromSchemaMapping, and its texts. */
export function mappedItems(
	database: string,
	settings: ImportFromS3Settings,
	objects: readonly MappedObject[],
): Item[] {
	const common = normalExportPrefix(settings.sourcePrefix)
	const base = settings.destinationPath === '' ? database : canonical(settings.destinationPath)
	const isExcluded = excluding(unknownTexts(settings, FIELD.excludeRegexps))
	const given = objects.filter(({ path }) => !isExcluded(path))
	const at = ({ prefix, iv }: MappedObject, path: string): Item => item(canonical(path), `${common}/${prefix}`, iv)
	const under = (destination: string): string => (destination.startsWith('/') ? destination : `${base}/${destination}`)
	const found =
		settings.items.length === 0
			? given.map((object) => at(object, `${base}/${object.path}`))
			: settings.items.flatMap(({ Source: source, destinationPath }) => {
					if (source.case === 'sourcePrefix') {
						const prefix = normalItemPrefix(source.value)
						const matching = given.filter((object) => object.prefix === prefix)
						if (matching.length === 0) throw new ImportError(`cannot find prefix "${source.value}" in schema mapping`)
						return matching.map((object) =>
							at(object, destinationPath === '' ? `${base}/${object.path}` : under(destinationPath)),
						)
					}
					const wanted = normalItemPrefix(source.value ?? '')
					const matching = given.filter(({ path }) => path === wanted || path.startsWith(`${wanted}/`))
					if (matching.length === 0)
						throw new ImportError(`cannot find source path "${source.value}" in schema mapping`)
					return matching.map((object) =>
						at(
							object,
							destinationPath === ''
								? `${base}/${object.path}`
								: under(destinationPath) + object.path.slice(wanted.length),
						),
					)
				})
	if (found.length === 0) throw new ImportError('no items to import')
	return found
}
