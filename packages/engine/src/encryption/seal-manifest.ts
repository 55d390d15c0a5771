import { BackupError } from '@ydbackup/core'
import {
	authenticateManifest,
	encryption,
	type Manifest,
	type ManifestObject,
	type ObjectsFile,
	type SealedNames,
} from '@ydbackup/format'

import type { Seal } from './seal.ts'

/** What the manifest of an encrypted backup leaves to `objects.json.enc`. */
export function sealedNames(
	tables: readonly { readonly path: string; readonly prefix: string }[],
	{ paths, notes }: Pick<Manifest, 'paths' | 'notes'>,
): SealedNames {
	return { names: Object.fromEntries(tables.map(({ path, prefix }) => [prefix, path])), paths, notes }
}

/** The manifest as it is stored: without names, and with the mark of the key. `clusterIv`: of an export that the cluster wrote. */
export function sealManifest(
	manifest: Omit<Manifest, 'sha256' | 'mac'>,
	{ key, algorithm, exportIv }: Pick<Seal, 'key' | 'algorithm' | 'exportIv'>,
	clusterIv?: Uint8Array,
): Omit<Manifest, 'sha256'> {
	const own = encryption.ivHex(exportIv)
	const ivs = clusterIv === undefined ? { iv: own } : { iv: encryption.ivHex(clusterIv), besideIv: own }
	const objects = manifest.objects.flatMap((object): ManifestObject[] =>
		object.prefix === undefined ? [] : [{ ...object, path: object.prefix }],
	)
	return authenticateManifest(
		{
			...manifest,
			encryption: { algorithm, keyId: key.id, ...ivs },
			objects,
			paths: [],
			notes: [],
			counts: { ...manifest.counts, directories: 0 },
		},
		key,
	)
}

/** The manifest as it was before {@link sealManifest}; its hash stays that of the stored one. Errors: `MANIFEST_INVALID`. */
export function unsealManifest(manifest: Manifest, { sealed, directories }: ObjectsFile): Manifest {
	const tables = manifest.objects.map((object): ManifestObject => {
		const path = sealed?.names[object.prefix ?? '']
		if (path === undefined) {
			throw new BackupError('MANIFEST_INVALID', `the names of ${manifest.id} do not hold the table ${object.prefix}`, {
				advice: 'use another backup, or another copy of this one',
			})
		}
		return { ...object, path }
	})
	const { paths = [], notes = [] } = sealed ?? {}
	return {
		...manifest,
		objects: [...directories.map(({ path }): ManifestObject => ({ path, kind: 'directory' })), ...tables],
		paths,
		notes,
		counts: { ...manifest.counts, directories: directories.length },
	}
}
