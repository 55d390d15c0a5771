import { type Compiled, NO_ROW } from './compiled.ts'
import { convert } from './convert.ts'
import type { Datum } from './datum.ts'
import { bare, mayBeNull, NULL, optional, type YqlType } from './types.ts'

/** Whether every value of a type converts silently; for a literal that counts as one, whether this value does. */
function converts(part: Compiled, type: YqlType, asLiteral: boolean): boolean {
	const value = part.literal && asLiteral ? part.value(NO_ROW) : null
	if (value === null) return convert(null, optional(part.type), optional(type), false) !== undefined
	return convert(value, part.type, type, true) !== undefined
}

/**
 * The one of the types of some expressions that all of them convert to silently, Optional when one of them may be NULL. Undefined
 * when there is none. Source: YQL's rules of implicit conversion; which type wins where several could is a guess.
 */
export function commonType(parts: readonly Compiled[], withNull = false): YqlType | undefined {
	const nullable = withNull || parts.some((part) => mayBeNull(part.type))
	const given = parts.filter((part) => part.type.kind !== 'null')
	if (given.length === 0) return NULL
	for (const asLiteral of [false, true])
		for (const { type } of given) {
			const target = nullable ? optional(bare(type)) : type
			if (given.every((part) => converts(part, target, asLiteral))) return target
		}
	return undefined
}

/** The value of an expression in a type that {@link commonType} found. */
export function inType(part: Compiled, type: YqlType, value: Datum): Datum {
	return value === null ? null : convert(value, bare(part.type), type, part.literal)!.value
}
