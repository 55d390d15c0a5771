import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, posix } from 'node:path'

/** Which kind of room may lean on which. A new kind needs a line here, so an arrow is always a decision. */
const MAY_LEAN_ON: Record<string, readonly string[]> = {
	contract: [],
	rows: ['contract'],
	format: ['contract', 'rows'],
	storage: ['contract'],
	bridge: ['contract'],
	catalog: ['contract', 'format'],
	engine: ['contract', 'rows', 'format', 'catalog', 'storage'],
	ydb: ['contract', 'rows'],
	kit: ['contract'],
	host: ['contract'],
	driver: ['contract'],
	example: ['contract'],
	emulator: [],
	app: ['contract', 'rows', 'format', 'storage', 'bridge', 'catalog', 'engine', 'ydb', 'kit', 'host', 'driver'],
	test: [
		'contract',
		'rows',
		'format',
		'storage',
		'bridge',
		'catalog',
		'engine',
		'ydb',
		'kit',
		'host',
		'driver',
		'emulator',
		'app',
		'test',
	],
}

interface Manifest {
	name: string
	nx?: { tags?: string[] }
	dependencies?: Record<string, string>
	devDependencies?: Record<string, string>
	peerDependencies?: Record<string, string>
}
interface Room {
	dir: string
	kind: string
	manifest: Manifest
}

const readJson = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'))
const complaints: string[] = []

const rooms = new Map<string, Room>()
for (const path of globSync('{packages,plugins,apps,test,examples}/*/package.json')) {
	const manifest = readJson(path) as Manifest
	const kind = manifest.nx?.tags?.find((tag) => tag.startsWith('room:'))?.slice(5) ?? 'untagged'
	if (!(kind in MAY_LEAN_ON)) complaints.push(`${path} has no known room tag (${kind})`)
	rooms.set(manifest.name, { dir: dirname(path), kind, manifest })
}

for (const { dir, kind, manifest } of rooms.values()) {
	const allowed = MAY_LEAN_ON[kind] ?? []
	const needs = { ...manifest.peerDependencies, ...manifest.dependencies }
	const leansOn = Object.keys(needs).filter((name) => rooms.has(name))
	for (const name of leansOn) {
		const target = rooms.get(name)!.kind
		if (!allowed.includes(target)) complaints.push(`${manifest.name} (${kind}) leans on ${name} (${target})`)
	}
	for (const file of globSync(`${dir}/src/**/*.ts`)) {
		for (const [, name = ''] of readFileSync(file, 'utf8').matchAll(/(?:from|import\(?)\s*['"](@ydbackup\/[^'"/]+)/g)) {
			const declared = kind === 'test' ? { ...manifest.devDependencies, ...needs } : needs
			if (name !== manifest.name && !declared[name])
				complaints.push(`${file} imports ${name}, which ${manifest.name} does not declare`)
		}
	}
	if (kind === 'test') continue
	const { references = [] } = readJson(`${dir}/tsconfig.json`) as { references?: { path: string }[] }
	const referenced = new Set(
		references.map(({ path }) => posix.normalize(normalize(join(dir, path)).replaceAll('\\', '/'))),
	)
	for (const name of leansOn) {
		if (!referenced.has(rooms.get(name)!.dir.replaceAll('\\', '/')))
			complaints.push(`${dir}/tsconfig.json does not reference ${name}`)
	}
	if (globSync(`${dir}/test/**/*.test-d.ts`).length === 0) continue
	const config = `${dir}/tsconfig.test.json`
	const include = existsSync(config) ? (readJson(config) as { include?: string[] }).include : undefined
	if (!include?.includes('test')) complaints.push(`${config} must include "test", or its type tests check nothing`)
}

for (const complaint of complaints) console.error(complaint)
process.exitCode = complaints.length ? 1 : 0
