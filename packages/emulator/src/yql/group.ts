import { type Accumulator, type Aggregation, aggregation } from './aggregate.ts'
import type { Select } from './ast.ts'
import { typeError } from './convert.ts'
import { type Datum, encode } from './datum.ts'
import { type Compiled, compile, mustBeBool, type Scope } from './evaluate.ts'
import { syntaxError } from './lexer.ts'
import type { Handle, Rows } from './source.ts'
import { optional } from './types.ts'
import { findAggregate } from './walk.ts'

/** Whether a SELECT makes groups of rows. */
export function isGrouped({ items, groupBy, having }: Select): boolean {
	return groupBy.length > 0 || having !== undefined || items.some(({ value }) => findAggregate(value))
}

interface Slot {
	readonly item: Compiled | undefined
	readonly aggregation: Aggregation
}

/** What names mean behind GROUP BY, and the groups: their keys, then what was aggregated. */
export interface Groups {
	readonly within: Scope
	/** To be called when every expression over the groups is compiled. */
	handles(): Iterable<Handle>
}

export function groups(select: Select, rows: Rows): Groups {
	const { groupBy } = select
	const { within } = rows
	const names = new Set<string>()
	const keys = groupBy.map(({ value, alias }) => {
		const aggregate = findAggregate(value)
		if (aggregate) throw syntaxError(aggregate.at, 'Unable to GROUP BY aggregated values')
		const name = alias ?? (value.kind === 'column' ? value.name : undefined)
		if (name !== undefined && names.has(name))
			throw syntaxError(select.items[0]?.value.at ?? select.at, `Duplicate grouping column: ${name}`)
		if (name !== undefined) names.add(name)
		const compiled = compile(value, within)
		if (compiled.constant) throw syntaxError(value.at, 'Unable to GROUP BY constant expression')
		if (compiled.type.kind !== 'data' && compiled.type.kind !== 'optional')
			throw typeError(value.at, 'Expected hashable and equatable type of a key of GROUP BY')
		return { name, compiled }
	})
	const slots: Slot[] = []
	const scope: Scope = {
		now: within.now,
		version: within.version,
		parameter: (name, at) => within.parameter(name, at),
		column(name, at, source) {
			const index = keys.findIndex((key) => key.name === name)
			if (index >= 0) return { index, type: keys[index]!.compiled.type }
			const full = source === undefined ? name : `${source}.${name}`
			throw syntaxError(
				at,
				`Column \`${full}\` must either be a key column in GROUP BY or it should be used in aggregation function`,
			)
		},
		aggregate({ name, distinct, item, at }) {
			const nested = findAggregate(item)
			if (nested) throw syntaxError(nested.at, 'Aggregation of aggregated values is forbidden')
			const compiled = item && compile(item, within)
			const grouped = keys.length > 0
			const found = aggregation({ name, distinct, item: compiled?.type, grouped, at })
			const index = keys.length + slots.push({ item: compiled, aggregation: found }) - 1
			return { type: found.type, literal: false, constant: false, value: (row) => row(index) }
		},
	}
	const having = select.having && compile(select.having, scope)
	if (having) mustBeBool(having, select.having!.at)

	function* all(): Generator<readonly Datum[]> {
		if (keys.length === 0) {
			if (rows.count && slots.every(({ item }) => !item)) {
				const count = BigInt(rows.count())
				yield slots.map(() => count)
				return
			}
			const states = slots.map((slot) => slot.aggregation.start())
			for (const handle of rows.handles()) add(states, handle)
			yield states.map((state) => state.result())
			return
		}
		const found = new Map<string, { readonly key: readonly Datum[]; readonly states: readonly Accumulator[] }>()
		for (const handle of rows.handles()) {
			const key = keys.map(({ compiled }) => compiled.value(handle.row))
			const mark = keys.map(({ compiled }, at) => marked(key[at]!, compiled)).join('')
			let group = found.get(mark)
			if (!group) {
				// The bytes of a key must not keep the pages alive from which they come.
				const kept = key.map((value) => (Buffer.isBuffer(value) ? Buffer.from(value) : value))
				group = { key: kept, states: slots.map((slot) => slot.aggregation.start()) }
				found.set(mark, group)
			}
			add(group.states, handle)
		}
		for (const { key, states } of found.values()) yield [...key, ...states.map((state) => state.result())]
	}
	const add = (states: readonly Accumulator[], { row }: Handle): void => {
		for (const [at, { item }] of slots.entries()) states[at]!.add(item ? item.value(row) : true)
	}
	return {
		within: scope,
		*handles() {
			for (const values of all()) {
				const row = (column: number): Datum => values[column]!
				if (!having || having.value(row) === true) yield { row }
			}
		},
	}
}

/** A text that equal values share and others do not. */
export function marked(value: Datum, { type }: Pick<Compiled, 'type'>): string {
	const bytes = encode(value, optional(type))
	return `${bytes.length}:${bytes.toString('latin1')}`
}
