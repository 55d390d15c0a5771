import { type CallOptions } from '@ydbackup/core'

import { activeHold, holdText, listHolds } from '../holds/holds.ts'
import { type Lease, leaseText } from '../leases/lease.ts'
import { listLeases } from '../leases/list-leases.ts'
import type { Repository } from '../repository/repository.ts'

/** Why a backup must stay. */
export interface Need {
	readonly kind: 'child' | 'hold' | 'lease'
	/** For people, without the id of the backup itself. */
	readonly reason: string
}

export interface FindNeedsOptions extends CallOptions {
	readonly clock?: (() => Date) | undefined
	/** Whoever asks: its own lease is no reason. */
	readonly lease?: Lease | undefined
}

/** Why some of these backups must stay, if all of them were to be deleted: their children, holds, and whoever uses them now. */
export async function findNeeds(
	repository: Repository,
	ids: ReadonlySet<string>,
	options: FindNeedsOptions = {},
): Promise<Map<string, Need[]>> {
	const { clock = () => new Date(), lease, signal } = options
	const { storage } = repository
	const needs = new Map<string, Need[]>()
	const need = (id: string, found: Need): void => {
		if (ids.has(id)) needs.set(id, [...(needs.get(id) ?? []), found])
	}
	const leases = await (lease === undefined
		? listLeases(storage, { clock, signal }).then((all) => all.filter((one) => one.isLive))
		: lease.others({ signal }))
	for (const { record, endsAt } of leases) {
		const reason = `it is in use: ${leaseText(record)}, until ${endsAt.toISOString()}`
		for (const id of record?.backups ?? ids) need(id, { kind: 'lease', reason })
	}
	for (const [id, holds] of await listHolds(storage, { signal })) {
		const hold = activeHold(holds, clock())
		if (hold === undefined) continue
		need(id, { kind: 'hold', reason: holdText(hold) })
	}
	for (const { id, manifest } of await repository.listAll({ signal })) {
		if (manifest?.parent === undefined || ids.has(id)) continue
		need(manifest.parent.id, { kind: 'child', reason: `${id} builds upon it` })
	}
	return needs
}
