import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Storage } from '@ydbackup/core'
import { backup, exportDump, restore, restoreFrom, type RestoreOutcome, verifyNative } from '@ydbackup/engine'
import fs from '@ydbackup/storage-fs/driver'
import s3 from '@ydbackup/storage-s3/driver'
import { expect, test } from 'vitest'
import { createDumpDirectory } from '../../../apps/cli/src/foreign/dump-directory.ts'
import { type ClusterWorld, createClusterWorld, TOOL } from '../src/cluster-world.ts'
import { look, MATRIX_OBJECTS } from '../src/matrix.ts'
import { openQueries } from '../src/queries.ts'
import { scratch } from '../src/scratch.ts'

const PAGE = fileURLToPath(new URL('../../../docs/matrix.md', import.meta.url))
const WRITERS = ['client', 'cluster', 'bridge', 'dump'] as const
const READERS = ['restore', 'import', '--from', 'checker'] as const
/** What tells why something is missing: of the backup and of the restore. */
type Notes = readonly { readonly path: string; readonly reason: string }[]

const results = new Map<string, Map<string, string>>()
const reasons: string[] = []

function gap(reason: string): string {
	const at = reasons.indexOf(reason)
	return `no [${(at < 0 ? reasons.push(reason) : at + 1).toString()}]`
}

const covers = (noted: string, path: string): boolean => path === noted || path.startsWith(`${noted}/`)

/** Every object came back the same, or somebody has said why not: nothing is lost in silence. */
function judge(
	column: string,
	before: ReadonlyMap<string, string>,
	after: ReadonlyMap<string, string>,
	notes: Notes,
): void {
	const judged = new Map<string, string>()
	for (const { title, path } of MATRIX_OBJECTS) {
		const reason = notes.find((note) => covers(note.path, path))?.reason
		const isSame = after.get(title) === before.get(title)
		if (!isSame && reason === undefined)
			throw new Error(
				`${column}: ${title} is ${after.get(title) ?? 'not there'} and was ${before.get(title)}, and nobody has said so`,
			)
		judged.set(title, isSame ? 'yes' : gap(reason!))
	}
	results.set(column, judged)
}

function problemsBelow(root: string, { problems }: RestoreOutcome): Notes {
	return problems.map(({ path, message }) => ({
		path: path.startsWith(`${root}/`) ? path.slice(root.length + 1) : path,
		reason: message,
	}))
}

async function seed({ emulator, ydb }: ClusterWorld): Promise<void> {
	await using queries = await openQueries(`grpc://127.0.0.1:${emulator.port}`, emulator.database)
	for (const { statements, make } of MATRIX_OBJECTS) {
		for (const statement of statements) await queries.run(statement)
		await make?.(ydb.sink)
	}
}

/** Reads a backup in every way, below a directory of its own for each. */
async function readAll(
	world: ClusterWorld,
	writer: string,
	id: string,
	written: Notes,
	from: readonly Storage[],
): Promise<void> {
	const { ydb, repository, access } = world
	const { sink } = ydb
	const before = await look(ydb)
	const restored = await restore({ sink, repository, id, existing: 'fail', to: `${writer}-restore` })
	judge(`${writer} restore`, before, await look(ydb, `${writer}-restore`), [
		...written,
		...problemsBelow(`${writer}-restore`, restored),
	])

	const imported = await restore({ sink, repository, id, existing: 'fail', to: `${writer}-import`, cluster: access })
	judge(`${writer} import`, before, await look(ydb, `${writer}-import`), [
		...written,
		...problemsBelow(`${writer}-import`, imported),
	])

	const foreign: { path: string; reason: string }[] = []
	for (const opened of from) {
		await using storage = opened
		const outcome = await restoreFrom({ sink, storage, name: 'x', existing: 'fail', to: `${writer}-from` })
		foreign.push(...problemsBelow(`${writer}-from`, outcome))
	}
	const left = [{ path: 'm/folder', reason: 'an export holds no directories and none of their rights' }]
	judge(`${writer} --from`, before, await look(ydb, `${writer}-from`), [...written, ...foreign, ...left])

	const checked = await verifyNative({ repository, id, level: 'full' })
	expect({ writer, findings: checked.findings }).toEqual({ writer, findings: [] })
	judge(`${writer} checker`, before, before, [])
	for (const { title, path } of MATRIX_OBJECTS) {
		const isThere = results.get(`${writer} import`)!.get(title) === 'yes'
		const told = (notes: Notes): string | undefined => notes.find((note) => covers(note.path, path))?.reason
		const reason = told(left) ?? (isThere ? undefined : told(written))
		if (reason !== undefined) results.get(`${writer} checker`)!.set(title, gap(reason))
	}
}

/** The exports of a backup: a cluster's has another one beside. */
async function openExports(world: ClusterWorld, id: string, directory = ''): Promise<Storage[]> {
	const places = [`backups/${id}`, `catalog/${id}/beside`]
	const found = await Promise.all(
		places.map(async (place) => ((await world.keys(`${place}/`)).length > 0 ? place : [])),
	)
	return Promise.all(found.flat().map((place) => openAt(world, place, directory)))
}

async function openAt(world: ClusterWorld, place: string, directory: string): Promise<Storage> {
	const context = { writable: false, environment: {} }
	if (world.s3 === undefined) return fs.open(new URL(`${pathToFileURL(directory).href}/${place}`), context)
	const { endpoint, credential } = world.s3
	return s3.open(new URL(`s3://backups/ydb/${place}?endpoint=${encodeURIComponent(endpoint)}`), {
		writable: false,
		environment: { AWS_ACCESS_KEY_ID: credential.accessKeyId, AWS_SECRET_ACCESS_KEY: credential.secretAccessKey },
	})
}

test(
	'whoever wrote it, whoever reads it: every object comes back the same, or the reason is named',
	{ timeout: 240_000 },
	async () => {
		await using place = await scratch()
		{
			await using world = await createClusterWorld({ through: 's3' })
			await seed(world)
			const { ydb, repository } = world
			const before = await look(ydb)
			expect([...before.keys()]).toEqual(MATRIX_OBJECTS.map(({ title }) => title))
			const ours = await backup({ source: ydb.source, repository, tool: TOOL })
			const theirs = await world.backup()
			await readAll(world, 'client', ours.id, ours.notes, await openExports(world, ours.id))
			await readAll(world, 'cluster', theirs.id, theirs.notes, await openExports(world, theirs.id))

			const dump = `${place.path}/dump`
			const exported = await exportDump({ repository, id: ours.id, target: createDumpDirectory(dump) })
			await using files = await fs.open(pathToFileURL(dump), { writable: false, environment: {} })
			const restored = await restoreFrom({
				sink: ydb.sink,
				storage: files,
				name: 'dump',
				existing: 'fail',
				to: 'dump-from',
			})
			const left = exported.notes.map(({ path, reason }) => ({ path, reason }))
			const notes = [...ours.notes, ...left, ...problemsBelow('dump-from', restored)]
			judge('dump --from', before, await look(ydb, 'dump-from'), notes)
		}
		{
			const storage = await fs.open(new URL(`${pathToFileURL(place.path).href}/repo`), {
				writable: true,
				environment: {},
			})
			await using world = await createClusterWorld({ through: 'bridge', storage })
			await seed(world)
			const { id, notes } = await world.backup()
			await readAll(world, 'bridge', id, notes, await openExports(world, id, `${place.path}/repo`))
		}
		const page = table()
		if (process.env['WRITE_MATRIX'] === '1') await writeFile(PAGE, page)
		expect(await readFile(PAGE, 'utf8'), 'docs/matrix.md is stale: run this test with WRITE_MATRIX=1').toBe(page)
	},
)

const TITLES = { client: 'client engine', cluster: 'cluster engine', bridge: 'bridge', dump: '`export --layout dump`' }

function table(): string {
	const columns = WRITERS.flatMap((writer) =>
		READERS.map((reader) => ({ writer, reader, name: `${writer} ${reader}` })),
	)
	const tried = columns.filter(({ name }) => results.has(name))
	const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
	const lines = [
		row(['wrote', ...tried.map(({ writer }) => TITLES[writer])]),
		row(['---', ...tried.map(() => '---')]),
		row(['**reads**', ...tried.map(({ reader }) => reader)]),
		...MATRIX_OBJECTS.map(({ title }) => row([title, ...tried.map(({ name }) => results.get(name)!.get(title)!)])),
	]
	return `# Who wrote it, who reads it

Written by a test (\`WRITE_MATRIX=1 npx vitest run --project e2e test/e2e/test/matrix.e2e.test.ts\`), which fails when this page is not what it finds: it makes one of
each object in the emulator, takes it with each writer, brings it back with each reader, and compares. **yes**: it is the same again. **no**: it is
not, and the command has said so; the number leads to its words. What is lost in silence fails the test.

- **restore**: \`ydbackup restore\`. **import**: \`ydbackup restore --engine cluster\`: row tables by the cluster's own import, all else by ydbackup.
  **--from**: \`ydbackup restore --from\` of the files alone, without our catalog. **checker**: \`backup verify --layout native\`, YDB's documented rules; it looks
  at files, so that *yes* means that the object is among them and right.
- A backup by the cluster (or the bridge) is two exports: \`backups/<id>/\`, which the cluster wrote, and \`catalog/<id>/beside/\`, which ydbackup wrote of
  what the cluster does not export: column tables and coordination nodes, and kinds that an older server does not know. **--from** and **checker** read both.
- A dump is read by \`--from\` alone: the cluster imports exports, and the checker knows no dumps.
- Floats: the cluster's own export prints 6 digits of a Float and 10 of a Double. This page was made with an emulator that prints all.

${lines.join('\n')}

${reasons.map((reason, at) => `${at + 1}. ${reason}`).join('\n')}

Nothing of this was tried against a real YDB.
`
}
