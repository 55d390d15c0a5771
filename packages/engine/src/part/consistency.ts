import { isDefined, layout, type Manifest, type ManifestFile, type ManifestObject } from '@ydbackup/format'
import { RowHash } from '@ydbackup/rows'

import { isObjectPath } from '../choose/object-path.ts'
import type { Finding } from './finding.ts'

/** Where a manifest contradicts itself, without a look at any other object. Empty for a sound one. */
export function checkConsistency(
	manifest: Manifest,
	objects: readonly ManifestObject[],
	groups: ReadonlyMap<string, readonly ManifestFile[]>,
): Finding[] {
	const findings: Finding[] = []
	const seen = new Set<string>()
	function report(path: string, message: string): void {
		const key = layout.manifestKey(manifest.id)
		findings.push({ key, path, code: 'MANIFEST_INVALID', message: `${path}: ${message}`, severity: 'data' })
	}

	for (const object of manifest.objects) {
		// The empty path is the database itself.
		const isRoot = object.path === '' && object.kind === 'directory'
		if (!isRoot && !isObjectPath(object.path)) report(JSON.stringify(object.path), 'this is not a path of an object')
		else if (seen.has(object.path)) report(object.path, 'the manifest has it twice')
		seen.add(object.path)
		if (object.kind !== 'directory' && object.prefix === undefined) report(object.path, 'it has no folder')
	}
	if (groups.get('')?.some((file) => file.role === 'objects') !== true) {
		report('objects.json', 'the manifest does not list it')
	}
	for (const object of objects) {
		for (const message of contradictions(object, groups.get(object.prefix ?? '') ?? [])) report(object.path, message)
	}
	return findings
}

function* contradictions(object: ManifestObject, files: readonly ManifestFile[]): Generator<string> {
	const within = files.filter((file) => file.role === 'changefeed' || file.role === 'rate-limiter')
	if (within.length !== (object.parts ?? 0)) {
		yield `it has ${object.parts ?? 0} parts and ${within.length} files that make them`
	}
	if (isDefined(object)) {
		const made = files.filter((file) => file.role === 'scheme')
		const name = layout.definitionName(object.kind)
		const [first] = made
		if (made.length !== 1 || first === undefined || !isNamed(first.key, name)) yield `it has no ${name}`
		return
	}
	const parts = files
		.filter((file) => file.role === 'data')
		.toSorted((a, b) => (a.partition ?? -1) - (b.partition ?? -1))
	if (parts.length === 0) yield 'it has no data file'
	if (parts.length !== (object.partitions ?? parts.length)) {
		yield `it has ${object.partitions} partitions and ${parts.length} data files`
	}
	if (parts.some((part, index) => part.partition !== index)) yield 'its data files are not numbered one after the other'
	if (!files.some((file) => file.role === 'scheme')) yield 'it has no scheme.pb'
	// The sum needs no schema: digests are added as numbers.
	const sum = new RowHash({ columns: [], primaryKey: [] })
	// The cluster wrote them, and nobody has counted them.
	if (object.rows === undefined && parts.every(({ rows, rowHash }) => rows === undefined && rowHash === undefined))
		return
	for (const part of parts) {
		if (part.rows === undefined || part.rowHash === undefined) {
			yield `its part ${part.partition} has no count or no hash of rows`
			return
		}
		try {
			sum.addDigest(part.rowHash, part.rows)
		} catch {
			yield `its part ${part.partition} has a hash of rows that is none`
			return
		}
	}
	if (object.rows !== undefined && object.rows !== String(sum.rows)) {
		yield `it has ${object.rows} rows, and its data files have ${sum.rows}`
	}
	if (object.rowHash !== undefined && object.rowHash !== sum.digest()) {
		yield 'the hashes of rows of its data files do not add up to its own'
	}
}

function isNamed(key: string, name: string): boolean {
	return key.endsWith(`/${name}`) || key.endsWith(`/${name}${layout.encryptedSuffix}`)
}
