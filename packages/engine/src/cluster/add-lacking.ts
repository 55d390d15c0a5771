import type { ObjectPart } from '@ydbackup/core'
import { layout } from '@ydbackup/format'

import type { Ledger } from '../backup/ledger.ts'
import type { LiveObjects } from '../backup/live-objects.ts'
import { filesOf, type ItemFile, withSidecar } from '../backup/write-objects.ts'
import type { ExportPlan } from './export-plan.ts'
import type { Written } from './written-files.ts'

export interface AddLackingOptions {
	readonly id: string
	readonly plan: ExportPlan
	readonly live: LiveObjects
	readonly written: Written
	readonly ledger: Ledger
	readonly signal: AbortSignal | undefined
}

/**
 * Writes what this server leaves out of its items: changefeeds and rights, which versions and settings switch off. Gives the names of all
 * changefeeds by the folder of their table, those of the cluster first.
 */
export async function addLacking(options: AddLackingOptions): Promise<Map<string, readonly string[]>> {
	const { id, plan, live, written, ledger, signal } = options
	const root = layout.addedPrefix(id)
	const granted = new Set(written.files.flatMap(({ role, object }) => (role === 'permissions' ? (object ?? []) : [])))
	const names = new Map<string, readonly string[]>()
	for (const { path, permissions } of [...plan.tables, ...plan.exported]) {
		const prefix = written.prefixes.get(path)!
		const there = written.changefeeds.get(prefix) ?? []
		const lacking = (live.changefeeds.get(path) ?? []).filter(({ name }) => !there.includes(name))
		const all = [...there, ...lacking.map(({ name }) => name)]
		if (all.length > 0) names.set(prefix, all)
		const files: ItemFile[] = lacking.flatMap((part: ObjectPart, at) => filesOf(part, there.length + at))
		if (permissions !== '' && !granted.has(prefix))
			files.push({ role: 'permissions', name: 'permissions.pb', bytes: Buffer.from(permissions) })
		for (const file of files.flatMap((each) => withSidecar(root, prefix, each))) await ledger.putSmall(file, signal)
	}
	return names
}
