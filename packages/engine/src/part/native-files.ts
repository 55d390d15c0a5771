import { layout, type Manifest, type ManifestFile, parseChecksumFile } from '@ydbackup/format'

import { objectDamaged } from './damage.ts'

export interface NativeContext {
	readonly manifest: Manifest
	/** SHA-256 of the plain bytes of each file, by the key of its sidecar. */
	readonly plainHashes: ReadonlyMap<string, string>
}

/** Whether a file that YDB's own import reads says what the manifest says. Throws `OBJECT_DAMAGED` or `FORMAT_INVALID`. */
export function checkNative(file: ManifestFile, bytes: Uint8Array, { manifest, plainHashes }: NativeContext): void {
	if (file.role === 'checksum') {
		const expected = plainHashes.get(file.key)
		if (expected !== undefined && parseChecksumFile(bytes, file.key) !== expected) {
			throw objectDamaged(file.key, `it does not hold ${expected}`)
		}
	}
	if (file.role === 'mapping' && file.key.endsWith('/mapping.json')) checkMapping(file, bytes, manifest)
}

function checkMapping(file: ManifestFile, bytes: Uint8Array, manifest: Manifest): void {
	const mapped = new Map(layout.readSchemaMapping(bytes, file.key).map((item) => [item.path, item.exportPrefix]))
	const tables = manifest.objects.filter((object) => object.prefix !== undefined)
	for (const { path, prefix } of tables) {
		if (mapped.get(path) !== prefix) throw objectDamaged(file.key, `it does not lead from ${path} to ${prefix}`)
	}
	if (mapped.size !== tables.length) throw objectDamaged(file.key, 'it names objects that the backup does not hold')
}
