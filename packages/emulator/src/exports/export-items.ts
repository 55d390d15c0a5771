import type { ExportToS3Settings } from '@ydbjs/api/export'
import { YdbError } from '../error.ts'
import { isNewerIndex } from '../scheme/newer-index.ts'
import { INDEX_TABLE, type Node, type NodeKind, type SchemeTree } from '../scheme/tree.ts'
import { algorithmNamed, checkKey, combinedIv, FILE } from './encryption.ts'
import { anonymous, normalExportPrefix, normalItemPrefix } from './layout.ts'
import type { Item } from './operation.ts'
import { FIELD, hasField, unknownNumber, unknownTexts } from './unknown-fields.ts'

const canonical = (path: string): string =>
	`/${path
		.split('/')
		.filter((name) => name !== '')
		.join('/')}`

/** Kinds that an export takes. Source: IsItemSupportedInExport of rpc_export.cpp; coordination nodes are not among them. */
const EXPORTED = new Set<NodeKind>([
	'table',
	'topic',
	'view',
	'replication',
	'transfer',
	'externalDataSource',
	'externalTable',
])
/** Of the directories right below the database, those that expansion leaves out. `.backups` is not among them. Source: the same. */
const SKIPPED = /^(?:~|\.sys|\.tmp|\.metadata|export-)/

/** `kinds` are all that an older server takes. */
function isExported({ kind, table }: Node, kinds: string | undefined): boolean {
	if (!EXPORTED.has(kind)) return false
	if (kinds !== undefined && !kinds.split(',').includes(kind)) return false
	return table?.spec.attributes['__async_replica'] !== 'true'
}

/** `zstd` or `zstd-N`. Statuses and texts of refusals are guesses (ydb_convert/compression). */
export function levelOf(compression: string): number | undefined {
	if (compression === '') return undefined
	const [, level = '3'] = /^zstd(?:-(\d+))?$/.exec(compression) ?? []
	if (!compression.startsWith('zstd') || !/^zstd(-\d+)?$/.test(compression))
		throw new YdbError('UNSUPPORTED', `Unsupported compression codec: ${compression}`)
	if (Number(level) < 1 || Number(level) > 22) throw new YdbError('BAD_REQUEST', `Invalid compression level: ${level}`)
	return Number(level)
}

/** Regular expressions that leave objects out. The server's are PCRE. */
export function excluding(patterns: readonly string[]): (path: string) => boolean {
	let expressions: RegExp[]
	try {
		expressions = patterns.map((pattern) => new RegExp(pattern))
	} catch (error) {
		throw new YdbError('BAD_REQUEST', `Invalid regexp: ${error instanceof Error ? error.message : String(error)}`)
	}
	return (path) => expressions.some((expression) => expression.test(path))
}

export const takesIndexData = (settings: ExportToS3Settings): boolean =>
	unknownNumber(settings, FIELD.includeIndexData) === 1

/** What names the store must be there. Source: required fields of the proto files; status and text are guesses. */
export function checkStore(
	settings: Readonly<Record<'endpoint' | 'bucket' | 'accessKey' | 'secretKey', string>>,
): void {
	for (const name of ['endpoint', 'bucket', 'accessKey', 'secretKey'] as const)
		if (settings[name] === '')
			throw new YdbError('BAD_REQUEST', `${name.replace(/[A-Z]/, (sign) => `_${sign.toLowerCase()}`)} is not set`)
}

/** Checks what can be checked before anything is looked up. Source: Bootstrap of rpc_export.cpp, and its texts. */
export function checkExport(settings: ExportToS3Settings): void {
	const { encryptionSettings, destinationPrefix, items, compression } = settings
	checkStore(settings)
	if (hasField(settings, FIELD.parquet)) throw new YdbError('UNSUPPORTED', 'Parquet is not emulated')
	if (encryptionSettings && takesIndexData(settings))
		throw new YdbError('UNSUPPORTED', 'encrypted index data is not emulated: versions of YDB differ about its IVs')
	if (encryptionSettings) {
		if (destinationPrefix === '')
			throw new YdbError('BAD_REQUEST', 'No destination prefix specified for encrypted export')
		try {
			const key = encryptionSettings.Key.value?.key ?? new Uint8Array()
			checkKey(algorithmNamed(encryptionSettings.encryptionAlgorithm), key)
		} catch (error) {
			throw new YdbError('BAD_REQUEST', `Invalid encryption settings: ${(error as Error).message}`)
		}
	}
	if (items.length === 0 && destinationPrefix === '')
		throw new YdbError('BAD_REQUEST', "No destination prefix nor items specified. Don't know where to export")
	for (const item of items)
		if (item.destinationPrefix === '' && destinationPrefix === '')
			throw new YdbError(
				'BAD_REQUEST',
				`No destination prefix or common destination prefix specified for item "${item.sourcePath}"`,
			)
	levelOf(compression)
}

interface Found {
	/** As it was given, or that of its directory with the name; empty for the default. */
	readonly destination: string
}

/** The objects that a request names, directories expanded, by their absolute paths. Source: rpc_export.cpp. */
export function expandedItems(
	tree: SchemeTree,
	settings: ExportToS3Settings,
	kinds: string | undefined,
): Map<string, Found> {
	const { database } = tree
	const root = settings.sourcePath === '' ? database : tree.absolute(settings.sourcePath)
	const isExcluded = excluding(unknownTexts(settings, FIELD.excludeRegexps))
	const relative = (path: string): string => (path.startsWith(`${root}/`) ? path.slice(root.length + 1) : path)
	const named = new Map<string, Found>()
	for (const { sourcePath, destinationPrefix } of settings.items) {
		const given = canonical(sourcePath)
		const path = given === root || given.startsWith(`${root}/`) ? given : root + given
		if (isExcluded(relative(path))) continue
		if (named.has(path)) throw new YdbError('BAD_REQUEST', `Duplicate export item source path: "${sourcePath}"`)
		named.set(path, { destination: destinationPrefix })
	}
	if (settings.items.length === 0) named.set(root, { destination: '' })
	const found = new Map<string, Found>()
	const expand = (path: string, node: Node, destination: string): void => {
		for (const child of node.children.values()) {
			if (node === tree.root && child.kind === 'directory' && SKIPPED.test(child.name)) continue
			const below = `${path}/${child.name}`
			const place = destination === '' ? '' : `${destination}/${child.name}`
			if (child.kind === 'directory') expand(below, child, place)
			else if (isExported(child, kinds) && !isExcluded(relative(below)) && !found.has(below))
				found.set(below, { destination: place })
		}
	}
	for (const [path, { destination }] of named) {
		const node = path === database || path.startsWith(`${database}/`) ? tree.find(path) : undefined
		if (!node)
			throw new YdbError('SCHEME_ERROR', `Cannot resolve path: path# ${path}, status# PathErrorUnknown`, 200200)
		if (node.kind === 'directory') expand(path, node, destination)
		else if (isExported(node, kinds)) found.set(path, { destination })
		else throw new YdbError('UNSUPPORTED', `Item "${path}" is not supported in export`)
	}
	if (found.size === 0) throw new YdbError('BAD_REQUEST', 'Nothing to export')
	return found
}

/** Where each object goes; tables of indexes follow their table. Source: FillExportMetadata and FillItems of schemeshard_export__create.cpp. */
export function exportItems(
	tree: SchemeTree,
	settings: ExportToS3Settings,
	iv: Buffer | undefined,
	kinds: string | undefined,
): Item[] {
	const common = normalExportPrefix(settings.destinationPrefix)
	const items: Item[] = []
	const add = (path: string, prefix: string, more: Pick<Item, 'iv' | 'parent'> = {}): void => {
		items.push({ path, prefix, ...more, state: 'preparing', partsTotal: 0, partsDone: 0 })
	}
	let number = 0
	for (const [path, { destination }] of expandedItems(tree, settings, kinds)) {
		number++
		const own = normalItemPrefix(destination)
		const name = own !== '' ? own : iv ? anonymous(number) : objectPath(tree, settings, path)
		const prefix = common === '' ? destination : `${common}/${name}`
		add(path, prefix, iv && { iv: combinedIv(iv, FILE.metadata, number).toString('hex') })
		const { table } = tree.get(path)
		if (table?.spec.indexes.some(isNewerIndex))
			throw new YdbError('UNSUPPORTED', 'exports of tables with vector, full-text and Bloom indexes are not emulated')
		if (!table || table.isColumnTable || !takesIndexData(settings)) continue
		const parent = items.length - 1
		for (const index of table.spec.indexes) {
			const below = `${index.name}/${INDEX_TABLE}`
			add(`${path}/${below}`, `${prefix}/${below}`, { parent })
		}
	}
	return items
}

/** The name of an object in the mapping. */
export function objectPath(tree: SchemeTree, { sourcePath }: ExportToS3Settings, path: string): string {
	const root = sourcePath === '' ? tree.database : tree.absolute(sourcePath)
	return path.startsWith(`${root}/`) ? path.slice(root.length + 1) : path.slice(1)
}
