import { spellAge, spellBytes, spellCount, spellTime } from '../output/quantity.ts'
import { factsText } from '../output/table.ts'
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
	/** What the store cannot do, and why. */
	readonly lacking: Readonly<Record<string, string>>
}

export async function shownRepository(
	{ repository, location }: OpenedRepository,
	signal: AbortSignal,
): Promise<ShownRepository> {
	const [entries, runs] = await Promise.all([repository.list({ signal }), repository.runs({ signal })])
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
		lacking: Object.fromEntries(lacking) as Record<string, string>,
	}
}

export function shownRepositoryText(shown: ShownRepository, now: Date): string {
	const { latest, damaged, unfinished, lacking } = shown
	return factsText({
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
}
