import { hostname } from 'node:os'
import { BackupError } from '@ydbackup/core'
import { expect, test } from 'vitest'
import { exitCodeOf } from '../src/exit/exit-codes.ts'
import { createdBackupText } from '../src/report/created-backup.ts'
import { type ListedBackup, listedBackup, listedBackupsText } from '../src/report/listed-backups.ts'
import { listedRun, listedRunText } from '../src/report/listed-run.ts'
import { type RestoredBackup, restoredBackupText, restoredFailure } from '../src/report/restored-backup.ts'
import { type VerifiedBackup, verifiedBackupText, verifiedFailure } from '../src/report/verified-backup.ts'

const now = new Date('2026-11-23T12:00:00Z')
const ID = '20261123T021530Z-k3f9'

const whole: Extract<ListedBackup, { readonly state: 'complete' }> = {
	state: 'complete',
	chain: { root: ID, position: 0, children: [] },
	id: ID,
	kind: 'full',
	createdAt: '2026-11-23T02:15:30.000Z',
	finishedAt: '2026-11-23T02:16:00.000Z',
	snapshotAfter: '2026-11-23T02:15:31.000001Z',
	snapshotBefore: '2026-11-23T02:15:32.000001Z',
	clock: 'server',
	database: '/local',
	compression: 'zstd-1',
	readBack: 'done',
	labels: { why: 'release' },
	counts: {
		tables: 3,
		directories: 1,
		rows: '18446744073709551616',
		plainBytes: 1_500_000,
		storedBytes: 400_000,
		files: 9,
	},
}

test('a list shows damaged backups beside whole ones, and more rows than a number can hold', () => {
	const damaged = listedBackup(
		{
			id: '20261122T021530Z-aaaa',
			error: new BackupError('MANIFEST_INVALID', 'its hash differs'),
		},
		{ id: '20261122T021530Z-aaaa', root: undefined, position: undefined, children: [] },
		undefined,
	)
	const text = listedBackupsText({ repository: '/srv/backups', backups: [damaged, whole], unfinished: [] }, now)
	const lines = text.split('\n')
	expect(lines[1]).toMatch(/^20261122T021530Z-aaaa +damaged$/)
	expect(lines[2]).toBe(
		`${ID}  2026-11-23 02:15:32Z  9 h  full  /local         3  18,446,744,073,709,551,616  1.50 MB  400 kB  complete  why=release`,
	)
	expect(text).toContain('20261122T021530Z-aaaa: its hash differs (MANIFEST_INVALID)')
	expect(listedBackupsText({ repository: '/srv/backups', backups: [], unfinished: [] }, now)).toBe(
		'no backups in /srv/backups',
	)
})

test('an unfinished run says whether it still goes on and where its copies are', () => {
	const record = {
		database: '/local',
		workDirectory: '~ydbackup-a-b',
		startedAt: '2026-11-23T11:00:00Z',
		host: hostname(),
		pid: process.pid,
	}
	const lease = {
		token: 't',
		keys: [],
		isLive: true,
		endsAt: new Date('2026-11-23T12:08:00Z'),
		record: {
			purpose: 'backup' as const,
			backups: [ID],
			owner: { host: 'db1', pid: 17 },
			at: '2026-11-23T11:58:00Z',
			ttlMs: 600_000,
		},
	}
	const text = (more: object, leases: Parameters<typeof listedRun>[1] = []): string =>
		listedRunText(listedRun({ id: ID, record: { ...record, ...more } }, leases), now)
	expect(text({}, [lease])).toMatch(
		/goes on as process 17 of db1, or ended without a word and counts as such from 2026-11-23 12:08:00Z$/,
	)
	expect(text({}, [{ ...lease, isLive: false }])).toContain(`was cut off; go on with ydbackup backup resume ${ID}, or`)
	expect(text({ collection: 'c' })).toMatch(/was cut off; the next collection ship c clears it away$/)
	expect(text({ kind: 'sorcery' })).toMatch(/was cut off; it is a run of kind sorcery$/)
	const damaged = listedRun({ id: ID, error: new BackupError('FORMAT_INVALID', 'is no record of a run') }, [])
	expect(listedRunText(damaged, now)).toBe(`unfinished: ${ID}: is no record of a run`)
})

test('a dry run of a backup names what would be taken and what would not', () => {
	const text = createdBackupText({
		repository: '/srv/backups',
		engine: 'client',
		dryRun: true,
		database: '/local',
		tables: [{ path: 'shop/orders', rows: 0, partitions: 0, plainBytes: 0, storedBytes: 0 }],
		objects: [{ path: 'shop/recent', kind: 'view', parts: [] }],
		directories: ['', 'shop'],
		notes: [{ path: 'news', kind: 'topic', reason: 'its messages are not taken' }],
		accounts: undefined,
		warnings: [],
		rows: 0,
		plainBytes: 0,
		storedBytes: 0,
		files: 0,
		elapsedMs: 3,
	})
	expect(text).toMatch(/nothing was written/)
	expect(text).toMatch(/table +shop\/orders\nview +shop\/recent\ndirectory +\(database\)\ndirectory +shop\n/)
	expect(text).toMatch(/topic +news +its messages are not taken/)
})

const restored: RestoredBackup = {
	keysUsed: [],
	repository: '/srv/backups',
	id: ID,
	method: 'apply',
	engine: 'client',
	dryRun: false,
	database: '/local',
	outcome: 'partial',
	problems: [{ path: 'shop', message: 'the user robot does not exist' }],
	tables: [
		{
			path: 'a',
			target: 'b/a',
			action: 'create',
			rows: 5,
			plainBytes: 50,
			partitions: 1,
			indexes: [],
			changefeeds: ['feed'],
			ttl: false,
			expired: undefined,
			storage: [],
			isCompared: true,
		},
	],
	objects: [
		{ path: 'v', target: 'b/v', kind: 'view', action: 'create', parts: [], secrets: [] },
		{ path: 'r', target: 'b/r', kind: 'replication', action: 'create', parts: [], secrets: ['far-token'] },
		{ path: 'w', target: 'b/w', kind: 'view', action: 'refused', parts: [], secrets: [] },
	],
	directories: [{ path: '', target: 'b', action: 'create' }],
	accounts: undefined,
	notes: [],
	warnings: [],
	rows: 5,
	plainBytes: 50,
	storedBytes: 40,
	elapsedMs: 1000,
}

test('a restore that was done in part is shown as such and exits with 9', () => {
	expect(restoredBackupText(restored)).toMatch(
		/is restored in part[\s\S]*not restored:[\s\S]*shop +the user robot does not exist/,
	)
	const failure = restoredFailure(restored)
	expect(failure && { code: failure.code, exit: exitCodeOf(failure.kind) }).toEqual({ code: 'PARTIAL', exit: 9 })
	expect(restoredFailure({ ...restored, outcome: 'complete', problems: [] })).toBeUndefined()
	const planned = restoredBackupText({ ...restored, dryRun: true, problems: [] })
	expect(planned).toMatch(/create +table +5 +b\/a +a/)
	expect(planned).toMatch(/create +changefeed +b\/a\/feed +a\/feed\ncreate +view +b\/v +v/)
	expect(restoredBackupText(restored)).toMatch(/1 view, 1 replication, 1 changefeed/)
	expect(restoredBackupText(restored)).toMatch(/far-token: they are in no backup/)
})

const verified: VerifiedBackup = {
	checked: 'contents',
	keysUsed: [],
	repository: '/srv/backups',
	id: ID,
	level: 'full',
	ok: false,
	findings: [
		{ key: `backups/${ID}/001/data_00.csv.zst`, code: 'OBJECT_MISSING', message: 'it is not there', severity: 'data' },
		{ key: `backups/${ID}/002/x`, code: 'TYPE_UNKNOWN', message: 'what is this', severity: 'data' },
	],
	tables: 2,
	files: 9,
	links: [ID],
	rows: 5,
	plainBytes: 50,
	storedBytes: 40,
	elapsedMs: 1000,
}

test('a damaged backup exits with 3 whatever the findings are, and all of them are listed', () => {
	for (const findings of [verified.findings, verified.findings.toReversed()]) {
		const failure = verifiedFailure({ ...verified, findings })
		expect(failure && exitCodeOf(failure.kind)).toBe(3)
		expect(failure?.message).toContain('and 1 more')
		for (const { key } of findings) expect(verifiedBackupText({ ...verified, findings })).toContain(key)
	}
	expect(verifiedFailure({ ...verified, ok: true, findings: [] })).toBeUndefined()
	expect(verifiedBackupText({ ...verified, ok: true, findings: [] })).toMatch(/is whole/)
})

test('a list says where each backup stands in its chain, and which chain is broken', () => {
	const child = (parent: string, root: string | undefined, position: number | undefined): ListedBackup => ({
		...whole,
		kind: 'incremental',
		parent,
		chain: { root, position, children: [] },
	})
	const first = { ...whole, chain: { root: ID, position: 0, children: ['x'] } }
	const backups = [first, child(ID, ID, 1), child('20200101T000000Z-gone', undefined, undefined)]
	const lines = listedBackupsText({ repository: '/srv/backups', backups, unfinished: [] }, now).split('\n')
	const suffix = ID.split('-')[1]
	expect(lines[0]).toContain('CHAIN')
	expect(lines[1]).toContain(`${suffix} +0`)
	expect(lines[2]).toContain(`incremental  ${suffix} +1`)
	expect(lines[3]).toContain('broken: no 20200101T000000Z-gone')
})

test('what the cluster wrote and nobody counted is shown as not counted, and not as nothing', () => {
	const { tables, directories, storedBytes, files } = whole.counts
	const unproven: ListedBackup = { ...whole, counts: { tables, directories, storedBytes, files } }
	const proven: ListedBackup = { ...whole, provenAt: '2026-11-23T10:00:00Z' }
	const text = listedBackupsText({ repository: '/srv/backups', backups: [unproven, proven], unfinished: [] }, now)
	expect(text).toMatch(/ not counted .* complete +never /)
	expect(text).toMatch(/ complete +2 h ago /)
})
