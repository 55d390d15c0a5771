import { type Compiled, folded, NO_ROW } from './compiled.ts'
import { typeError } from './convert.ts'
import type { Datum } from './datum.ts'
import type { Position } from './lexer.ts'
import { bare, BOOL, mayBeNull, optional, typeName } from './types.ts'

/** The pattern as an expression over whole texts. `%` is any text, `_` any character. */
function regular(pattern: string, escape: string | undefined, insensitive: boolean, at: Position): RegExp {
	let out = ''
	for (let index = 0; index < pattern.length; index++) {
		let char = pattern[index]!
		if (char === escape) {
			char = pattern[++index] ?? ''
			if (char !== '%' && char !== '_' && char !== escape)
				throw typeError(at, 'LIKE: escape character should be followed by a wildcard or by itself')
			out += char.replace(/[\\^$.*+?()[\]{}|/]/, '\\$&')
		} else out += char === '%' ? '.*' : char === '_' ? '.' : char.replace(/[\\^$.*+?()[\]{}|/]/, '\\$&')
	}
	return new RegExp(`^${out}$`, insensitive ? 'isu' : 'su')
}

const TEXTS = ['String', 'Utf8']

export interface LikeRequest {
	readonly item: Compiled
	readonly pattern: Compiled
	readonly escape: Compiled | undefined
	readonly insensitive: boolean
	readonly negated: boolean
	readonly at: Position
}

/** `LIKE` and `ILIKE`. Source: YDB's documentation of expressions; ILIKE compares characters without regard to case by Unicode here (a guess). */
export function like({ item, pattern, escape, insensitive, negated, at }: LikeRequest): Compiled {
	for (const { type } of [item, pattern, ...(escape ? [escape] : [])]) {
		const text = bare(type)
		if (text.kind !== 'null' && !(text.kind === 'data' && TEXTS.includes(text.data.name)))
			throw typeError(at, `Expected (optional) String or Utf8, but got: ${typeName(type)}`)
	}
	const sign = escape && String(escape.value(NO_ROW))
	if (sign !== undefined && sign.length !== 1) throw typeError(at, 'ESCAPE clause requires single character argument')
	let known: { readonly text: string; readonly test: RegExp } | undefined
	const regularOf = (value: Datum): RegExp => {
		const text = String(value)
		if (known?.text !== text) known = { text, test: regular(text, sign, insensitive, at) }
		return known.test
	}
	if (pattern.constant && pattern.value(NO_ROW) !== null) regularOf(pattern.value(NO_ROW))
	const parts = [item, pattern]
	const type = parts.some((part) => mayBeNull(part.type)) ? optional(BOOL) : BOOL
	return folded(parts, type, (row) => {
		const [text, wanted] = [item.value(row), pattern.value(row)]
		return text === null || wanted === null ? null : regularOf(wanted).test(String(text)) !== negated
	})
}
