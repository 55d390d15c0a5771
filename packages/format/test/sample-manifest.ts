import type { Manifest } from '../src/index.ts'

const HEX = 'ab'.repeat(32)
const ID = '20261123T021530Z-k3f9'

/** A small sound manifest: one directory and one table with two partitions. */
export function sampleManifest(): Omit<Manifest, 'sha256'> {
	const file = {
		size: 100,
		sha256: HEX,
		plainSize: 300,
		plainSha256: HEX,
		object: '001',
		provenance: 'streamed',
	} as const
	return {
		ydbackup: 'manifest',
		version: 1,
		id: ID,
		repository: 'k3f9a1b2c3',
		kind: 'full',
		createdAt: '2026-11-23T02:15:30.000Z',
		finishedAt: '2026-11-23T02:16:30.000Z',
		tool: { name: 'ydbackup', version: '0.0.0' },
		source: { database: '/local' },
		snapshotAfter: '2026-11-23T02:15:31.000001Z',
		snapshotBefore: '2026-11-23T02:15:32.000001Z',
		clock: 'server',
		layout: 'native-export-1',
		compression: 'zstd-1',
		readBack: 'done',
		labels: { env: 'prod' },
		paths: [],
		objects: [
			{ path: 'dir', kind: 'directory' },
			{
				path: 'dir/t',
				kind: 'row-table',
				prefix: '001',
				rows: '7',
				rowHash: 'rh1:00',
				partitions: 2,
				countedByServer: true,
			},
		],
		files: [
			{ ...file, key: `backups/${ID}/001/data_00.csv.zst`, role: 'data', partition: 0, rows: 3, rowHash: 'rh1:01' },
			{ ...file, key: `backups/${ID}/001/data_01.csv.zst`, role: 'data', partition: 1, rows: 4, rowHash: 'rh1:02' },
			{ ...file, key: `backups/${ID}/001/scheme.pb`, role: 'scheme', provenance: 'read-back' },
		],
		counts: { tables: 1, directories: 1, rows: '7', plainBytes: 900, storedBytes: 300, files: 3 },
		notes: [{ path: 'topic', kind: 'topic', reason: 'topics are not taken' }],
	}
}

/** Any JSON, to be broken by tests. */
// oxlint-disable-next-line typescript/no-explicit-any -- tests put wrong values into any place
export type Loose = any

export function looseManifest(): Loose {
	return structuredClone(sampleManifest())
}
