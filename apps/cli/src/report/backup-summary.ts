import type { Manifest } from '@ydbackup/format'
import { spellCount } from '../output/quantity.ts'

/** A backup in a few facts, as `backup list` has it and as the other commands' results begin. */
export interface BackupSummary {
	readonly id: string
	readonly kind: string
	readonly parent?: string
	readonly createdAt: string
	readonly finishedAt: string
	/** The snapshot was taken at some moment between these two. */
	readonly snapshotAfter: string
	readonly snapshotBefore: string
	readonly clock: string
	readonly database: string
	readonly compression: string
	/** Of an encrypted backup: how, and with which key, by its id. */
	readonly encryption?: { readonly algorithm: string; readonly keyId: string }
	readonly readBack: string
	/** Where it stood in the cluster, when it is a link of a backup collection. */
	readonly collection?: NonNullable<Manifest['source']['collection']>
	readonly labels: Readonly<Record<string, string>>
	readonly counts: BackupCounts
	/** When all of it was last read and found right; absent when it never was after it was taken. */
	readonly provenAt?: string
}

export interface BackupCounts {
	readonly tables: number
	readonly directories: number
	/** Neither tables nor directories; absent without any. */
	readonly objects?: number
	/** Decimal digits: more than a JSON number can hold exactly. Absent when the cluster wrote it and nobody has counted yet. */
	readonly rows?: string
	readonly plainBytes?: number
	readonly storedBytes: number
	readonly files: number
}

export function summaryOf(manifest: Manifest, proven: Date | undefined): BackupSummary {
	const { id, kind, parent, createdAt, finishedAt, snapshotAfter, snapshotBefore, clock, encryption } = manifest
	const { tables, directories, objects, rows, plainBytes, storedBytes, files } = manifest.counts
	return {
		id,
		kind,
		...(parent === undefined ? {} : { parent: parent.id }),
		createdAt,
		finishedAt,
		snapshotAfter,
		snapshotBefore,
		clock,
		database: manifest.source.database,
		compression: manifest.compression,
		...(encryption && { encryption: { algorithm: encryption.algorithm, keyId: encryption.keyId } }),
		readBack: manifest.readBack,
		...(manifest.source.collection && { collection: manifest.source.collection }),
		labels: manifest.labels,
		counts: {
			tables,
			directories,
			...(objects !== undefined && { objects }),
			...(rows !== undefined && { rows }),
			...(plainBytes !== undefined && { plainBytes }),
			storedBytes,
			files,
		},
		...(proven && { provenAt: proven.toISOString() }),
	}
}

export function encryptionText(by: BackupSummary['encryption']): string | undefined {
	return by && `${by.algorithm}, key ${by.keyId}`
}

export function labelsText(labels: Readonly<Record<string, string>>): string | undefined {
	const pairs = Object.entries(labels)
	return pairs.length === 0 ? undefined : pairs.map(([key, value]) => `${key}=${value}`).join(' ')
}

/** What is not known is said, and never shown as nothing. */
export const NOT_COUNTED = 'not counted'

export function rowsText(rows: string | undefined): string {
	return rows === undefined ? NOT_COUNTED : spellCount(BigInt(rows))
}
