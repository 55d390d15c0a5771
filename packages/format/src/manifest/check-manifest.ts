import type { Complain } from '../json/parse-json.ts'
import { encryptedSuffix } from '../layout/names.ts'
import { isDefined, isTable, type Manifest } from './manifest.ts'

/** Refuses a manifest whose parts contradict each other. */
export function checkWhole(manifest: Manifest, complain: Complain): void {
	const { objects, files, counts } = manifest
	if ((manifest.parent === undefined) !== (manifest.kind === 'full')) {
		throw complain(`is ${manifest.kind} and has ${manifest.parent === undefined ? 'no' : 'a'} parent`)
	}
	if (manifest.parent?.id === manifest.id) throw complain('is its own parent')

	unique(
		objects.map((object) => object.path),
		'object',
		complain,
	)
	const prefixes = objects.flatMap((object) => object.prefix ?? [])
	const known = unique(prefixes, 'folder', complain)
	for (const { path, kind, prefix } of objects) {
		if (kind !== 'directory' && prefix === undefined)
			throw complain(`has ${JSON.stringify(path)} (${kind}) without a folder`)
		if (kind === 'directory' && prefix !== undefined)
			throw complain(`has directory ${JSON.stringify(path)} with a folder`)
	}

	const foreign = manifest.kind === 'full' ? ['change-table', 'index-changes'] : ['row-table', 'column-table']
	const odd = objects.find((object) => foreign.includes(object.kind))
	if (odd) throw complain(`is ${manifest.kind} and has ${JSON.stringify(odd.path)} as a ${odd.kind}`)

	unique(
		files.map((file) => file.key),
		'file',
		complain,
	)
	const defined = new Set(objects.filter(isDefined).map(({ prefix }) => prefix))
	const parts = files.filter((file) => file.role === 'data')
	const strange = parts.find(({ object }) => defined.has(object))
	if (strange !== undefined) throw complain(`has ${strange.key}, which belongs to no table`)
	for (const file of files) {
		if (file.object !== undefined && !known.has(file.object))
			throw complain(`has ${file.key}, which belongs to no object`)
	}
	for (const file of parts) {
		if (file.object === undefined || file.partition === undefined)
			throw complain(`has ${file.key}, which is of no partition`)
	}
	// What is missing of a file must not be taken for a file that needs no check.
	const counted = new Set(objects.flatMap(({ prefix, rows }) => (rows === undefined ? [] : (prefix ?? []))))
	for (const { key, role, object = '', sha256, plainSize, plainSha256, rows } of files) {
		const isWhole = sha256 !== undefined && plainSize !== undefined && plainSha256 !== undefined
		if (!isWhole && (role !== 'data' || rows !== undefined || counted.has(object)))
			throw complain(`has ${key} without its size or hashes`)
	}
	unique(
		parts.map((file) => `${file.object}/${file.partition}`),
		'partition',
		complain,
	)

	if (manifest.encryption !== undefined) checkSealed(manifest, complain)
	const expected = {
		tables: objects.filter(isTable).length,
		directories: objects.filter((object) => object.kind === 'directory').length,
		objects: objects.filter(isDefined).length,
		files: files.length,
	}
	for (const [name, number] of Object.entries(expected)) {
		const claimed = counts[name as keyof typeof expected] ?? 0
		if (claimed !== number) throw complain(`counts ${claimed} ${name} and lists ${number}`)
	}
}

/** What an encrypted backup may show to those who have not the key. */
function checkSealed({ objects, files, paths, notes }: Manifest, complain: Complain): void {
	const named = objects.find(({ path, prefix }) => path !== prefix)
	if (named !== undefined || paths.length > 0 || notes.length > 0) throw complain('is encrypted and names objects')
	for (const { key, role, object } of files) {
		const isOpen = role === 'checksum' || (role === 'metadata' && object === undefined)
		if (isOpen === key.endsWith(encryptedSuffix)) {
			throw complain(`is encrypted, and ${key} ${isOpen ? 'must not be' : 'is not'}`)
		}
	}
}

function unique(values: readonly string[], what: string, complain: Complain): Set<string> {
	const seen = new Set<string>()
	for (const value of values) {
		if (seen.has(value)) throw complain(`has ${what} ${JSON.stringify(value.slice(0, 200))} twice`)
		seen.add(value)
	}
	return seen
}
