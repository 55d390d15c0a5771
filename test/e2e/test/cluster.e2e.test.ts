import { putProof } from '@ydbackup/catalog'
import { isBackupError, type KeyProvider } from '@ydbackup/core'
import { collectGarbage, type EngineEvent, resumeExport, verifyNative } from '@ydbackup/engine'
import { beforeEach, expect, test } from 'vitest'
import { below, differences } from '../../../tools/demo/picture.ts'
import { ourPicture } from '../../../tools/demo/our-reader.ts'
import { load } from '../../../tools/seed/load.ts'
import { seedTables } from '../../../tools/seed/tables.ts'
import { type ClusterWorld, type ClusterWorldOptions, createClusterWorld, TOOL } from '../src/cluster-world.ts'
import { openQueries } from '../src/queries.ts'

const KEY: KeyProvider = { name: 'test', getKey: async () => Buffer.from('Key is big enough to be 32 bytes') }
/** Many calls on machines that have other things to do. */
const SLOW = { timeout: 120_000 }
const failsWith = (code: string) => expect.objectContaining({ code })

let open: AsyncDisposableStack
beforeEach(() => {
	open = new AsyncDisposableStack()
	return () => open.disposeAsync()
})

async function world(options: ClusterWorldOptions, cities = 200): Promise<ClusterWorld> {
	const made = open.use(await createClusterWorld(options))
	const { port, database } = made.emulator
	if (cities > 0)
		await load(
			{ endpoint: `grpc://127.0.0.1:${port}`, database },
			seedTables(cities).filter(({ path }) => path !== 'all_types'),
			() => {},
		)
	return made
}

const picture = ({ emulator }: ClusterWorld) => ourPicture(`grpc://127.0.0.1:${emulator.port}`, emulator.database)

/** What must not be there after a run that was given up. */
async function expectClean({ keys, ydb, repository }: ClusterWorld): Promise<void> {
	expect(await keys('backups/')).toEqual([])
	expect(await keys('runs/')).toEqual([])
	expect(await repository.ids()).toEqual([])
	expect((await ydb.transfers.operations.list('export/s3')).map(({ id }) => id)).toEqual([])
	for await (const { path } of ydb.source.list()) expect(path).not.toContain('ydbackup')
}

test.each(['s3', 'bridge'] as const)(
	'what the cluster has written through %s is listed, proven, and restored by either engine',
	SLOW,
	async (through) => {
		const { backup, verify, restore, access, repository, storage, ...rest } = await world({ through })
		const before = await picture({ ...rest } as ClusterWorld)
		const result = await backup({ labels: { why: 'test' } })
		expect(result).toMatchObject({ warnings: [], rows: undefined, dryRun: false })
		const { manifest } = await repository.read('latest')
		const data = manifest.files.filter(({ role }) => role === 'data')
		expect(new Set(data.map(({ provenance }) => provenance))).toEqual(
			new Set([through === 's3' ? 'server-claimed' : 'streamed']),
		)
		expect(data.every(({ sha256 }) => (sha256 === undefined) === (through === 's3'))).toBe(true)
		expect(await rest.ydb.transfers.operations.list('export/s3')).toEqual([])
		expect(await rest.keys('runs/')).toEqual([])

		// Before the proof nobody knows how many rows there are, and a restore counts them as it reads.
		await restore({ to: 'unproven' })
		const report = await verify()
		expect(report.findings).toEqual([])
		expect(await verifyNative({ repository, id: result.id, level: 'full' })).toMatchObject({ ok: true, findings: [] })
		expect(report.proven?.files.map(({ key }) => key)).toEqual(data.map(({ key }) => key).toSorted())
		await putProof(storage, { backup: result.id, at: new Date().toISOString(), tool: TOOL, ...report.proven! })

		await restore({ to: 'proven', verifyData: true })
		const imported = await restore({ to: 'imported', cluster: access, verifyData: true })
		expect(imported).toMatchObject({ engine: 'cluster', outcome: 'complete', warnings: [] })
		const after = await picture({ ...rest } as ClusterWorld)
		for (const place of ['unproven', 'proven', 'imported']) {
			expect(differences(before, below(after, place)), place).toEqual([])
		}
		// Another look at what is proven finds the same, and says so again.
		expect((await verify()).proven).toEqual(report.proven)
	},
)

test(
	'an encrypted export is an encrypted backup: its manifest names nothing, and only the key opens it',
	SLOW,
	async () => {
		const { backup, verify, restore, access, repository, keys, ...rest } = await world({ through: 's3' })
		const encryption = { keys: [KEY], algorithm: 'aes-256-gcm' }
		await expect(backup({ encryption })).rejects.toThrow(failsWith('CONFIG_INVALID'))
		expect(await keys('backups/')).toEqual([])
		const before = await picture({ ...rest } as ClusterWorld)
		const { id, encryption: by } = await backup({ encryption, sendKeyInClear: true, compression: 'zstd-3' })
		const { manifest } = await repository.read(id)
		expect(manifest.encryption).toMatchObject({ algorithm: 'AES-256-GCM', keyId: by?.keyId })
		expect(JSON.stringify(manifest)).not.toContain('cities')
		const open = (await keys(`backups/${id}/`)).filter((key) => !key.endsWith('.enc') && !key.endsWith('.sha256'))
		expect(open).toEqual([`backups/${id}/metadata.json`])
		expect(await verify()).toMatchObject({ ok: true, checked: 'stored-bytes' })
		expect(await verify({ keys: [KEY] })).toMatchObject({ ok: true, checked: 'contents', findings: [] })
		await restore({ to: 'ours', keys: [KEY] })
		await expect(restore({ to: 'x', keys: [KEY], cluster: access })).rejects.toThrow(failsWith('CONFIG_INVALID'))
		await restore({ to: 'theirs', keys: [KEY], cluster: { ...access, sendKeyInClear: true } })
		const after = await picture({ ...rest } as ClusterWorld)
		for (const place of ['ours', 'theirs']) expect(differences(before, below(after, place)), place).toEqual([])
	},
)

test.each(['s3', 'bridge'] as const)(
	'a cluster that does not reach the %s is found out before anything else',
	SLOW,
	async (through) => {
		const made = await world({ through }, 5)
		const openStore = async (use: Parameters<ClusterWorld['access']['openStore']>[0]) => {
			const store = await made.access.openStore(use)
			return Object.assign(Object.create(store) as typeof store, { place: { ...store.place, endpoint: '127.0.0.1:9' } })
		}
		const error = await made.backup({ openStore, probeLimitMs: 1_000 }).catch((thrown: unknown) => thrown)
		expect(error).toMatchObject({ code: 'CLUSTER_CANNOT_REACH' })
		expect(String((error as Error).message)).toContain('127.0.0.1:9')
		if (through === 'bridge') expect((error as Error).message).toContain('0 requests came')
		await expectClean(made)
	},
)

test('wrong credentials, and another place than ours, are found out by the probe', SLOW, async () => {
	const made = await world({ through: 's3' }, 5)
	for (const change of [{ secretKey: 'wrong' }, { bucket: 'missing' }]) {
		const openStore = async () => {
			const store = await made.access.openStore({ prefixes: [], isWritable: true })
			return Object.assign(Object.create(store) as typeof store, { place: { ...store.place, ...change } })
		}
		await expect(made.backup({ openStore })).rejects.toThrow(failsWith('CLUSTER_CANNOT_REACH'))
	}
	const elsewhere = async () => {
		const store = await made.access.openStore({ prefixes: [], isWritable: true })
		return Object.assign(Object.create(store) as typeof store, { prefix: 'elsewhere/' })
	}
	await expect(made.backup({ openStore: elsewhere })).rejects.toThrow(failsWith('CLUSTER_CANNOT_REACH'))
	await expectClean(made)
})

test(
	'a stop leaves the export to the cluster, and a resume makes it a backup; with discard nothing is left',
	SLOW,
	async () => {
		const made = await world({ through: 's3', emulator: { faults: { slowPartMs: 200 } } }, 50)
		const stopped = async (discardOnInterrupt: boolean): Promise<string> => {
			const stop = new AbortController()
			const onEvent = (event: { type: string; partsTotal?: number | undefined }): void => {
				if (event.type === 'progress' && event.partsTotal! > 0) stop.abort(new Error('stop'))
			}
			const error = await made
				.backup({ signal: stop.signal, onEvent, discardOnInterrupt })
				.catch((thrown: unknown) => thrown)
			expect(error).toMatchObject({ code: 'INTERRUPTED' })
			return (error as { advice: string }).advice
		}
		expect(await stopped(true)).toBe('run it again')
		await expectClean(made)

		const advice = await stopped(false)
		const [run] = await made.repository.runs()
		expect(run?.record).toMatchObject({ kind: 'export', database: '/local' })
		expect(advice).toContain(`backup resume ${run!.id}`)
		const { repository, access } = made
		const options = { ...access, repository, id: run!.id, tool: TOOL }
		expect(await resumeExport(options)).toMatchObject({ id: run!.id, warnings: [] })
		expect(await made.verify()).toMatchObject({ ok: true })
		expect(await made.repository.runs()).toEqual([])
		await expect(resumeExport(options)).rejects.toThrow(failsWith('RUN_NOT_FOUND'))
	},
)

test(
	'a run that is stopped when its export is over writes the rest anew; without its key it stays as it is',
	SLOW,
	async () => {
		const made = await world({ through: 's3' }, 5)
		const { repository, access, emulator, ydb } = made
		await using queries = await openQueries(`grpc://127.0.0.1:${emulator.port}`, emulator.database)
		await queries.run('CREATE TABLE wide (id Utf8 NOT NULL, n Utf8, PRIMARY KEY (id)) WITH (STORE = COLUMN)')
		await queries.run('UPSERT INTO wide (id, n) VALUES ("1"u, "a"u)')
		const stop = new AbortController()
		const onEvent = (event: EngineEvent): void => {
			if (event.type === 'phase' && event.name === 'read-back') stop.abort(new Error('stop'))
		}
		const sealed = { encryption: { keys: [KEY] }, sendKeyInClear: true, accounts: ydb.accounts }
		await expect(made.backup({ ...sealed, signal: stop.signal, onEvent })).rejects.toThrow(failsWith('INTERRUPTED'))
		const [run] = await repository.runs()
		const { id } = run!
		const before = await made.keys(`catalog/${id}/beside/`)
		expect(before.filter((key) => key.includes('/data_00.csv'))).toHaveLength(2)
		const first = await stored(made, before)
		// What is read now is not what was read then.
		await queries.run('UPSERT INTO wide (id, n) VALUES ("2"u, "b"u)')
		const options = { ...access, repository, id, tool: TOOL, sendKeyInClear: true, accounts: ydb.accounts }
		await expect(resumeExport(options)).rejects.toThrow(failsWith('KEY_REQUIRED'))
		expect(await repository.runs()).toHaveLength(1)
		const resumed = await resumeExport({ ...options, keys: [KEY] })
		expect(resumed).toMatchObject({ id, accounts: { users: 0, groups: 0 } })
		expect(resumed.tables.find(({ path }) => path === 'wide')).toMatchObject({ rows: 2 })
		expect(await made.verify({ keys: [KEY] })).toMatchObject({ ok: true, findings: [] })
		// Under another IV: no file of the first try is there any more.
		const again = await stored(made, before)
		for (const key of before.filter((one) => one.endsWith('.enc'))) expect(again.get(key), key).not.toBe(first.get(key))
		expect(await ydb.transfers.operations.list('export/s3')).toEqual([])
	},
)

async function stored({ storage }: ClusterWorld, keys: readonly string[]): Promise<Map<string, string>> {
	const found = new Map<string, string>()
	for (const key of keys) {
		const pieces: Uint8Array[] = []
		for await (const piece of (await storage.get(key)).bytes) pieces.push(piece)
		found.set(key, Buffer.concat(pieces).toString('hex'))
	}
	return found
}

test('an export whose starter died before it wrote down what it began is found by its id', SLOW, async () => {
	const made = await world({ through: 's3', emulator: { faults: { slowPartMs: 100 } } }, 20)
	const { repository, access, storage, ydb } = made
	const stop = new AbortController()
	const onEvent = (event: { type: string }): void => {
		if (event.type === 'progress') stop.abort(new Error('stop'))
	}
	await made.backup({ signal: stop.signal, onEvent }).catch(() => undefined)
	const [run] = await repository.runs()
	await storage.delete(`runs/${run!.id}/operation.json`)
	const before = await ydb.transfers.operations.list('export/s3')
	expect(await resumeExport({ ...access, repository, id: run!.id, tool: TOOL })).toMatchObject({ id: run!.id })
	expect(before).toHaveLength(1)
	expect(await ydb.transfers.operations.list('export/s3')).toEqual([])
	expect(await made.verify()).toMatchObject({ ok: true })
})

test('a run through a bridge that died is given up: cancelled, forgotten and deleted', SLOW, async () => {
	const made = await world({ through: 'bridge', emulator: { faults: { slowPartMs: 200 } } }, 20)
	const { repository, access, ydb } = made
	// The run is cut off as a dead process would leave it: nothing of its cleaning up happens.
	const died = Object.assign(Object.create(repository) as typeof repository, {
		endRun: () => Promise.reject(new Error('dead')),
	})
	let id = ''
	const transfers = {
		...access.transfers,
		operations: { ...access.transfers.operations, cancel: () => Promise.reject(new Error('dead')) },
	}
	const stop = new AbortController()
	const onEvent = (event: { type: string; partsTotal?: number | undefined }): void => {
		if (event.type === 'progress' && event.partsTotal! > 0) stop.abort(new Error('stop'))
	}
	await made.backup({ repository: died, transfers, signal: stop.signal, onEvent }).catch(() => undefined)
	id = (await repository.runs())[0]!.id
	await expect(resumeExport({ ...access, repository, id, tool: TOOL })).rejects.toThrow(failsWith('UNSUPPORTED'))
	expect(await ydb.transfers.operations.list('export/s3')).toHaveLength(1)
	expect(await collectGarbage({ repository, database: ydb, tool: TOOL })).toMatchObject({
		outcome: 'complete',
		garbage: [{ kind: 'run', name: id, state: 'removed' }],
	})
	await expectClean(made)
})

test('what newer and older servers do differently is borne', SLOW, async () => {
	const made = await world(
		{ through: 's3', emulator: { faults: { unknownProgress: true, keepExportCopies: true } } },
		20,
	)
	expect(await made.backup({ accounts: made.ydb.accounts })).toMatchObject({
		accounts: { users: 0, groups: 0 },
		warnings: [{ message: expect.stringContaining('hashes of passwords') }],
	})
	made.emulator.faults.withoutChecksums = true
	const result = await made.backup()
	expect(result.warnings).toMatchObject([{ message: expect.stringContaining('no checksums') }])
	const { manifest } = await made.repository.read(result.id)
	expect(manifest.files.filter(({ role }) => role === 'checksum').filter(({ object }) => object !== undefined)).toEqual(
		[],
	)
	expect(await made.verify()).toMatchObject({ ok: true, findings: [] })
	for await (const { path } of made.ydb.source.list()) expect(path).not.toContain('export-')
})

test('files that went missing or changed behind the export are found before it is listed', SLOW, async () => {
	for (const change of ['missing', 'changed'] as const) {
		const made = await world({ through: 's3' }, 20)
		let isDone = false
		const following = made.access.transfers.operations
		const operations = {
			...following,
			async get(id: string) {
				const found = await following.get(id)
				if (found.state !== 'done') return found
				const victim = (await made.keys('backups/')).find((key) =>
					key.endsWith(change === 'missing' ? 'data_03.csv.zst' : 'scheme.pb'),
				)
				if (victim === undefined || isDone) return found
				isDone = true
				if (change === 'missing') await made.storage.delete(victim)
				else await made.storage.put(victim, Buffer.from('columns { name: "x" }'))
				return found
			},
		}
		const error = await made
			.backup({ transfers: { ...made.access.transfers, operations } })
			.catch((thrown: unknown) => thrown)
		expect(isBackupError(error) && error.kind, String(error)).toBe('damaged')
		await expectClean(made)
	}
})

test('an import refuses what it cannot do before anything is written', SLOW, async () => {
	const made = await world({ through: 's3' }, 10)
	await made.backup()
	const cluster = made.access
	for (const more of [
		{ existing: 'merge' },
		{ existing: 'replace' },
		{ schemeOnly: true },
		{ dataOnly: true },
		{ ttl: 'off' },
	] as const)
		await expect(made.restore({ cluster, to: 'x', ...more })).rejects.toThrow(failsWith('CONFIG_INVALID'))
	await expect(made.restore({ cluster })).rejects.toThrow(failsWith('PATH_EXISTS'))
	expect(await made.restore({ cluster, to: 'dry', dryRun: true })).toMatchObject({ dryRun: true, engine: 'cluster' })
	for await (const { path } of made.ydb.source.list()) expect(path).not.toMatch(/^(?:x|dry)/u)
})

test('an import that fails leaves no table of its own, and none of others is touched', SLOW, async () => {
	const made = await world({ through: 's3' }, 20)
	const { id } = await made.backup()
	const { manifest } = await made.repository.read(id)
	const victim = manifest.files.filter(({ role }) => role === 'data').toSorted((a, b) => b.size - a.size)[0]!
	await made.storage.put(victim.key, Buffer.alloc(victim.size, 'x'))
	const error = await made.restore({ cluster: made.access, to: 'broken' }).catch((thrown: unknown) => thrown)
	expect(error).toMatchObject({
		code: 'DATABASE_REFUSED',
		message: expect.stringContaining('import by the cluster failed'),
	})
	for await (const { path, kind } of made.ydb.source.list())
		if (path.startsWith('broken')) expect({ path, kind }).toMatchObject({ kind: 'directory' })
	expect(await made.ydb.transfers.operations.list('import/s3')).toEqual([])
})
