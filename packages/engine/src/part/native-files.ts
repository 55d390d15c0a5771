import { encryption, layout, type Manifest, type ManifestFile, parseChecksumFile } from '@ydbackup/format'

import { isMapping } from '../encryption/file-iv.ts'
import { objectDamaged } from './damage.ts'

export interface NativeContext {
	readonly manifest: Manifest
	/** SHA-256 of the plain bytes of each file, by the key of its sidecar. */
	readonly plainHashes: ReadonlyMap<string, string | undefined>
	/** With encryption: what the IVs of items are derived from, by the key of a file of their export. */
	readonly exportIvOf?: ((key: string) => Uint8Array) | undefined
}

/** Whether a file that YDB's own import reads says what the manifest says. Throws `OBJECT_DAMAGED` or `FORMAT_INVALID`. */
export function checkNative(file: ManifestFile, bytes: Uint8Array, context: NativeContext): void {
	const { manifest, plainHashes, exportIvOf } = context
	if (file.role === 'checksum') {
		const expected = plainHashes.get(file.key)
		if (expected !== undefined && parseChecksumFile(bytes, file.key) !== expected) {
			throw objectDamaged(file.key, `it does not hold ${expected}`)
		}
	}
	if (file.role === 'mapping' && isMapping(file.key)) checkMapping(file, bytes, manifest, exportIvOf?.(file.key))
}

function checkMapping(
	file: ManifestFile,
	bytes: Uint8Array,
	manifest: Manifest,
	exportIv: Uint8Array | undefined,
): void {
	const named = layout.readSchemaMapping(bytes, file.key)
	const mapped = new Map(named.map((item) => [item.path, item.exportPrefix]))
	for (const { path, exportPrefix, iv } of named) {
		const expected = exportIv && encryption.ivHex(encryption.itemIv(exportIv, Number(exportPrefix)))
		if (iv?.toUpperCase() !== expected) throw objectDamaged(file.key, `it has another IV for ${path}`)
	}
	const root = file.key.slice(0, file.key.lastIndexOf('/SchemaMapping/') + 1)
	const schemes = manifest.files.filter(({ key, role }) => role === 'scheme' && key.startsWith(root))
	const items = new Set(schemes.map(({ object }) => object))
	const tables = manifest.objects.filter(({ prefix }) => prefix !== undefined && items.has(prefix))
	for (const { path, prefix } of tables) {
		if (mapped.get(path) !== prefix) throw objectDamaged(file.key, `it does not lead from ${path} to ${prefix}`)
	}
	if (mapped.size !== tables.length) throw objectDamaged(file.key, 'it names objects that the backup does not hold')
}
