import { Fields } from '../json/fields.ts'
import { parseJson } from '../json/parse-json.ts'
import { complainAbout, isRelativePath } from './metadata.ts'

/** One object of an export: its path relative to the database, and the folder that holds its files. */
export interface MappedItem {
	readonly path: string
	readonly exportPrefix: string
	/** 24 hex digits; with encryption only. */
	readonly iv?: string | undefined
}

const LARGEST = 64 << 20

/** `SchemaMapping/mapping.json` in YDB's spelling, items in the order given. */
export function schemaMapping(items: readonly MappedItem[]): Uint8Array {
	const members = items.map(({ path, exportPrefix, iv }) => {
		const last = iv === undefined ? '' : `,"iv":${JSON.stringify(iv)}`
		return `${JSON.stringify(path)}:{"exportPrefix":${JSON.stringify(exportPrefix)}${last}}`
	})
	return Buffer.from(`{"exportedObjects":{${members.join(',')}}}`)
}

/**
 * Reads a `mapping.json`, ours or YDB's, in the order of the file. Errors: `FORMAT_INVALID` naming `file`, for paths or folders that
 * are there twice or would lead elsewhere, and for a mapping that is encrypted in part.
 */
export function readSchemaMapping(bytes: Uint8Array, file: string): MappedItem[] {
	const complain = complainAbout(file)
	const root = new Fields(parseJson(bytes, { maxBytes: LARGEST, maxParts: 4_000_000 }, complain), '', complain)
	const objects = root.fields('exportedObjects')
	const items: MappedItem[] = []
	const folders = new Set<string>()
	for (const [path] of objects.entries()) {
		const fields = objects.fields(path)
		const exportPrefix = fields.text('exportPrefix', { max: 16_384 })
		if (!isRelativePath(path))
			throw complain(`has ${JSON.stringify(path.slice(0, 200))}, which is no path of an object`)
		if (!isRelativePath(exportPrefix)) throw fields.bad('exportPrefix', 'is no relative path', exportPrefix)
		if (folders.has(exportPrefix)) throw fields.bad('exportPrefix', 'belongs to another object too', exportPrefix)
		folders.add(exportPrefix)
		const iv = fields.textIf('iv', { like: [/^[0-9A-Fa-f]{24}$/u, 'IV of 24 hex digits'] })
		const first = items[0]
		if (first !== undefined && (first.iv === undefined) !== (iv === undefined)) {
			throw complain('has an IV for some objects only')
		}
		items.push({ path, exportPrefix, ...(iv === undefined ? {} : { iv }) })
	}
	return items
}
