import { isTable, type Manifest, type ManifestFile, type ManifestObject, type Proof } from '@ydbackup/format'
import { RowHash } from '@ydbackup/rows'

/**
 * The manifest with what a proof has found out about files that the cluster wrote: from then on they are checked like any other. What a
 * proof says about anything else is not believed.
 */
export function withProof(manifest: Manifest, proof: Proof): Manifest {
	const proven = new Map(proof.files.map((file) => [file.key, file]))
	const files = manifest.files.map((file): ManifestFile => {
		const found = proven.get(file.key)
		if (file.role !== 'data' || file.rows !== undefined || found === undefined) return file
		return { ...found, ...file, rows: found.rows, rowHash: found.rowHash }
	})
	const objects = manifest.objects.map((object) => counted(object, files))
	const tables = objects.filter(isTable)
	if (tables.some(({ rows }) => rows === undefined)) return manifest
	return {
		...manifest,
		files,
		objects,
		counts: {
			...manifest.counts,
			rows: String(tables.reduce((sum, { rows = '0' }) => sum + BigInt(rows), 0n)),
			plainBytes: files.reduce((sum, { plainSize = 0 }) => sum + plainSize, 0),
		},
	}
}

function counted(object: ManifestObject, files: readonly ManifestFile[]): ManifestObject {
	if (!isTable(object) || object.rows !== undefined) return object
	const parts = files.filter(({ role, object: prefix }) => role === 'data' && prefix === object.prefix)
	const hash = new RowHash({ columns: [], primaryKey: [] })
	let plainBytes = 0
	for (const { rows, rowHash, plainSize = 0 } of parts) {
		if (rows === undefined || rowHash === undefined) return object
		try {
			hash.addDigest(rowHash, rows)
		} catch {
			return object
		}
		plainBytes += plainSize
	}
	return { ...object, rows: String(hash.rows), rowHash: hash.digest(), plainBytes }
}
