import type { DefinedKind, ObjectDefinition } from '@ydbackup/core'
import { yql } from '@ydbackup/format'

import { isWithin } from '../choose/object-path.ts'
import type { PathMapping } from '../choose/path-mapping.ts'
import type { StoredObject } from '../part/stored-object.ts'

/** Where objects are from and where they go: absolute databases, and what the mapping does with paths relative to them. */
export interface ObjectPlaces {
	/** Of the source; statements may say another. */
	readonly source: string
	/** Of the target. */
	readonly database: string
	readonly mapping: PathMapping
	/** Relative to the source: everything that is restored. What else statements name stays where it is. */
	readonly restored: ReadonlySet<string>
}

/** An object as it is to be created. */
export interface PlannedObject {
	readonly stored: StoredObject
	/** Relative to the target database. */
	readonly target: string
	readonly definition: ObjectDefinition
	/** Of other objects of the same restore: targets that must be there before. */
	readonly needs: readonly string[]
	/** Targets of other databases' tables that it fills: they must not be there. */
	readonly fills: readonly string[]
	/** By name, or by absolute path in the target database. */
	readonly secrets: readonly string[]
}

const SHOWN = 20

/** Kinds in the order in which they are created where nothing else says it. */
const ORDER: readonly DefinedKind[] = [
	'coordination-node',
	'topic',
	'external-data-source',
	'external-table',
	'replication',
	'transfer',
	'view',
]

/** Rewrites an object for its target. Errors: `FORMAT_INVALID` naming its file. */
export function planObject(stored: StoredObject, target: string, places: ObjectPlaces): PlannedObject {
	const { kind, definition, file } = stored
	const plain = { stored, target, definition, needs: [], fills: [], secrets: [] }
	if (definition.form !== 'statements' || kind === 'topic' || kind === 'coordination-node') return plain
	const statement = yql.readCreateStatement(definition.text, kind, file)
	const database = trimmed(stored.place.database ?? stored.place.root ?? places.source)
	const reference = referenceIn(places, database, stored.place.root)
	const text = yql.rewritePaths(statement, {
		database,
		targetDatabase: places.database,
		target: `${places.database}/${target}`,
		reference: (path) => absolute(places, reference(path)) ?? movedBy(path, database, places.database),
		directory: directoryIn(places, database, stored.place.root),
	})
	const used = yql.pathsUsed(statement, database).flatMap((path) => reference(path) ?? [])
	return {
		...plain,
		definition: { form: 'statements', text },
		needs: kind === 'replication' ? [] : used,
		fills: kind === 'replication' ? used : [],
		secrets: yql.secretsUsed(yql.readCreateStatement(text, kind, file)),
	}
}

/** Where a restored object goes, relative to the target; undefined for what is not restored. */
function referenceIn(
	{ mapping, restored }: ObjectPlaces,
	database: string,
	root: string | undefined,
): (path: string) => string | undefined {
	const top = trimmed(root ?? database)
	return (path) => {
		if (!isWithin(path, top) || path === top) return undefined
		const relative = path.slice(top.length + 1)
		return restored.has(relative) ? mapping(relative) : undefined
	}
}

function directoryIn(
	{ mapping, database: target }: ObjectPlaces,
	database: string,
	root: string | undefined,
): (path: string) => string {
	const top = trimmed(root ?? database)
	return (path) => {
		if (!isWithin(path, top)) return movedBy(path, database, target)
		const mapped = mapping(path.slice(top.length + 1))
		return mapped === '' ? target : `${target}/${mapped}`
	}
}

function absolute({ database }: ObjectPlaces, relative: string | undefined): string | undefined {
	return relative === undefined ? undefined : `${database}/${relative}`
}

/** The same place in another database. */
function movedBy(path: string, from: string, to: string): string {
	return isWithin(path, from) ? `${to}${path.slice(from.length)}` : path
}

function trimmed(path: string): string {
	return path.replace(/(?<=.)\/+$/u, '')
}

const byOrder = (a: PlannedObject, b: PlannedObject): number =>
	ORDER.indexOf(a.stored.kind) - ORDER.indexOf(b.stored.kind) || compare(a.target, b.target)

/**
 * Orders objects so that each comes after what it needs. What needs itself, in a circle, comes last, in the order of its paths: the server says
 * then what it thinks of that.
 */
export function orderObjects(objects: readonly PlannedObject[]): PlannedObject[] {
	const sorted = objects.toSorted(byOrder)
	const places = new Map(sorted.map(({ target }, place) => [target, place]))
	const waiting = new Map<number, number[]>()
	const open = sorted.map(({ needs }, place) => {
		const own = new Set(
			needs.map((need) => places.get(need)).filter((need): need is number => need !== undefined && need !== place),
		)
		for (const need of own) {
			const others = waiting.get(need)
			if (others === undefined) waiting.set(need, [place])
			else others.push(place)
		}
		return own.size
	})
	// Places that wait for nothing, the first one at the end.
	const ready = open.flatMap((left, place) => (left === 0 ? [place] : [])).toReversed()
	const ordered: PlannedObject[] = []
	for (let place = ready.pop(); place !== undefined; place = ready.pop()) {
		ordered.push(sorted[place]!)
		for (const next of waiting.get(place) ?? []) {
			open[next]!--
			if (open[next] !== 0) continue
			const at = ready.findLastIndex((other) => other > next)
			ready.splice(at + 1, 0, next)
		}
	}
	return [...ordered, ...sorted.filter((_, place) => open[place]! > 0)]
}

/** Objects that need each other in a circle, each as one fragment. */
export function circlesIn(objects: readonly PlannedObject[]): string[] {
	const byTarget = new Map(objects.map((object) => [object.target, object]))
	const done = new Set<string>()
	const circles: string[] = []
	for (const { target } of objects) {
		const way = new Set<string>()
		let next: string | undefined = target
		while (next !== undefined && !done.has(next) && !way.has(next)) {
			way.add(next)
			next = byTarget.get(next)?.needs.find((need) => byTarget.has(need) && !done.has(need))
		}
		if (next !== undefined && way.has(next)) {
			const names = Array.from(way)
			circles.push(spellCircle(names.slice(names.indexOf(next))))
		}
		for (const each of way) done.add(each)
	}
	return circles
}

function spellCircle(names: readonly string[]): string {
	const left = names.length > SHOWN ? [`… ${names.length - SHOWN} more`] : []
	return [...names.slice(0, SHOWN), ...left, names[0]].join(' → ')
}

function compare(a: string, b: string): number {
	return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
