import { type KeyUse, type ListedLease, listLeases } from '@ydbackup/catalog'
import type { Manifest } from '@ydbackup/format'
import { spellAge, spellBytes, spellCount, spellTime } from '../output/quantity.ts'
import { factsText, tableText } from '../output/table.ts'
import type { OpenedRepository } from '../repository/open-repository.ts'

/** The result of `repo show`. */
export interface ShownRepository {
	readonly location: string
	readonly id: string
	readonly version: number
	readonly createdAt: string
	readonly backups: number
	/** Of these, the ones whose manifest cannot be read. */
	readonly damaged: number
	/** Runs that have not ended. */
	readonly unfinished: number
	/** Of all readable backups together. */
	readonly storedBytes: number
	readonly latest?: { readonly id: string; readonly snapshotBefore: string }
	/** Keys that backups are encrypted with, or that have opened some. */
	readonly keys: readonly ShownKey[]
	/** Who is at work, as far as leases tell. */
	readonly leases: readonly ShownLease[]
	/** What the store cannot do, and why. */
	readonly lacking: Readonly<Record<string, string>>
}

export interface ShownLease {
	/** `unknown` for a lease that cannot be read. */
	readonly purpose: string
	readonly backups: readonly string[]
	readonly host?: string
	readonly pid?: number
	/** By the store's clock; a lease is renewed before that as long as its owner lives. */
	readonly endsAt: string
}

export interface ShownKey {
	readonly id: string
	/** That are encrypted with it. */
	readonly backups: number
	/** To the day, as far as it could be noted. */
	readonly lastOpened?: { readonly at: string; readonly backup: string; readonly by: string }
}

function shownKeys(manifests: readonly Manifest[], uses: readonly KeyUse[]): ShownKey[] {
	const counts = new Map<string, number>(uses.map(({ keyId }) => [keyId, 0]))
	for (const { encryption } of manifests)
		if (encryption !== undefined) counts.set(encryption.keyId, (counts.get(encryption.keyId) ?? 0) + 1)
	return Array.from(counts, ([id, backups]) => {
		const use = uses.find(({ keyId }) => keyId === id)
		return { id, backups, ...(use && { lastOpened: { at: use.at, backup: use.backup, by: use.by } }) }
	}).toSorted((a, b) => (a.id < b.id ? -1 : 1))
}

function shownLease({ record, endsAt }: ListedLease): ShownLease {
	const { purpose = 'unknown', backups = [], owner } = record ?? {}
	return {
		purpose,
		backups,
		...(owner && { host: owner.host, pid: owner.pid }),
		endsAt: endsAt.toISOString(),
	}
}

export async function shownRepository(
	{ repository, location }: OpenedRepository,
	signal: AbortSignal,
): Promise<ShownRepository> {
	const [entries, runs, uses, leases] = await Promise.all([
		repository.list({ signal }),
		repository.runs({ signal }),
		repository.keyUses({ signal }),
		listLeases(repository.storage, { signal }),
	])
	const manifests = entries.flatMap(({ manifest }) => manifest ?? [])
	const newest = manifests.at(-1)
	const { id, version, createdAt } = repository.header
	const lacking = Object.entries(repository.storage.capabilities).flatMap(([name, value]) =>
		typeof value === 'object' && value !== null ? [[name, (value as { lacking: string }).lacking]] : [],
	)
	return {
		location,
		id,
		version,
		createdAt,
		backups: entries.length,
		damaged: entries.length - manifests.length,
		unfinished: runs.length,
		storedBytes: manifests.reduce((sum, { counts }) => sum + counts.storedBytes, 0),
		...(newest && { latest: { id: newest.id, snapshotBefore: newest.snapshotBefore } }),
		keys: shownKeys(manifests, uses),
		leases: leases.filter(({ isLive }) => isLive).map(shownLease),
		lacking: Object.fromEntries(lacking) as Record<string, string>,
	}
}

export function shownRepositoryText(shown: ShownRepository, now: Date): string {
	const { latest, damaged, unfinished, lacking, keys, leases } = shown
	const facts = factsText({
		repository: shown.location,
		id: shown.id,
		created: spellTime(shown.createdAt),
		backups: `${spellCount(shown.backups)}, ${spellBytes(shown.storedBytes)} stored`,
		latest: latest && `${latest.id}, ${spellAge(now.getTime() - Date.parse(latest.snapshotBefore))} old`,
		damaged: damaged === 0 ? undefined : `${spellCount(damaged)}: see ydbackup backup list`,
		unfinished: unfinished === 0 ? undefined : `${spellCount(unfinished)} runs: see ydbackup backup list`,
		...Object.fromEntries(
			Object.entries(lacking).map(([name, why]) => [
				`no ${name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)}`,
				why,
			]),
		),
	})
	return [facts, ...(leases.length > 0 ? [leasesText(leases)] : []), ...(keys.length > 0 ? [keysText(keys)] : [])].join(
		'\n\n',
	)
}

function leasesText(leases: readonly ShownLease[]): string {
	return tableText(leases, [
		{ title: 'IN USE BY', cell: ({ purpose, pid, host }) => `${purpose}, process ${pid ?? '?'} of ${host ?? '?'}` },
		{ title: 'BACKUPS', cell: ({ backups }) => backups.join(' ') },
		{ title: 'ENDS, OR IS RENEWED, BEFORE', cell: ({ endsAt }) => spellTime(endsAt) },
	])
}

function keysText(keys: readonly ShownKey[]): string {
	return tableText(keys, [
		{ title: 'KEY', cell: ({ id }) => id },
		{ title: 'BACKUPS', align: 'right', cell: ({ backups }) => spellCount(backups) },
		{
			title: 'LAST OPENED ONE',
			cell: ({ lastOpened: use }) =>
				use ? `${spellTime(use.at).slice(0, 10)}: ${use.by} of ${use.backup}` : 'never, or not noted',
		},
	])
}
