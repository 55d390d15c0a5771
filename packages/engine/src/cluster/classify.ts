import { DEFINED_KINDS } from '@ydbackup/core'
import { dumpLayout, layout, type ManifestFile } from '@ydbackup/format'

/** An object that the cluster wrote, by its key. */
export interface WrittenObject {
	readonly key: string
	/** Its key without `.enc`. */
	readonly openKey: string
	readonly size: number
	readonly role: ManifestFile['role']
	/** The folder of the object it belongs to. */
	readonly object?: string | undefined
	/** Of data; of a changefeed it is known when the object's metadata is. */
	readonly partition?: number | undefined
}

const DEFINITIONS: ReadonlySet<string> = new Set(DEFINED_KINDS.map(layout.definitionName))
const PARTS = { [layout.partName('changefeed')]: 'changefeed', [layout.partTopicName]: 'topic' } as const

/** What a file of an export is, by its name. `name` is relative to the backup; undefined for what has no place in one. */
export function classify(key: string, name: string, size: number): WrittenObject | undefined {
	const open = name.endsWith(layout.encryptedSuffix) ? name.slice(0, -layout.encryptedSuffix.length) : name
	const parts = open.split('/')
	const file = parts.at(-1) ?? ''
	const found = { key, openKey: key.slice(0, key.length - (name.length - open.length)), size }
	const isChecksum = file.endsWith('.sha256')
	if (parts.length === 1) {
		if (isChecksum) return { ...found, role: 'checksum' }
		return file === dumpLayout.METADATA ? { ...found, role: 'metadata' } : undefined
	}
	const [object = ''] = parts
	if (object === 'SchemaMapping') return { ...found, role: isChecksum ? 'checksum' : 'mapping' }
	if (!/^\d{3,16}$/u.test(object)) return undefined
	if (isChecksum) return { ...found, role: 'checksum', object }
	if (parts.length > 2) {
		const role = PARTS[file]
		if (parts.length === 3 && role !== undefined) return { ...found, role, object }
		// What another such file is encrypted with is not known here.
		return open === name ? { ...found, role: 'metadata', object } : undefined
	}
	const data = dumpLayout.readDataName(file)
	if (data !== undefined) return { ...found, role: 'data', object, partition: data.number }
	if (file === dumpLayout.SCHEME || DEFINITIONS.has(file)) return { ...found, role: 'scheme', object }
	if (file === dumpLayout.PERMISSIONS) return { ...found, role: 'permissions', object }
	return file === dumpLayout.METADATA ? { ...found, role: 'metadata', object } : undefined
}
