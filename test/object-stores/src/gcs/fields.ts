import { badRequest } from './errors.ts'

type Mask = Map<string, Mask | undefined>

/** Reads a `fields` mask such as `nextPageToken,items(name,size)`. */
function parse(text: string): Mask {
	const tokens = text.match(/[A-Za-z0-9_*-]+|[(),/]/g) ?? []
	if (tokens.join('') !== text) throw badRequest(`Invalid field selection ${text}`, 'invalidParameter')
	let at = 0
	const list = (): Mask => {
		const mask: Mask = new Map()
		for (;;) {
			const name = tokens[at++]
			if (name === undefined || /[(),/]/.test(name))
				throw badRequest(`Invalid field selection ${text}`, 'invalidParameter')
			let inner: Mask | undefined
			if (tokens[at] === '(') {
				at++
				inner = list()
				if (tokens[at++] !== ')') throw badRequest(`Invalid field selection ${text}`, 'invalidParameter')
			} else if (tokens[at] === '/') {
				at++
				inner = new Map([[tokens[at++] ?? '', undefined]])
			}
			mask.set(name, inner)
			if (tokens[at] !== ',') return mask
			at++
		}
	}
	const mask = list()
	if (at !== tokens.length) throw badRequest(`Invalid field selection ${text}`, 'invalidParameter')
	return mask
}

function pick(value: unknown, mask: Mask | undefined): unknown {
	if (mask === undefined || mask.has('*') || typeof value !== 'object' || value === null) return value
	if (Array.isArray(value)) return value.map((item) => pick(item, mask))
	return Object.fromEntries(
		Object.entries(value)
			.filter(([name]) => mask.has(name))
			.map(([name, inner]) => [name, pick(inner, mask.get(name))]),
	)
}

/** The part of an answer that its `fields` parameter asks for. */
export function selected(value: unknown, fields: string | null): unknown {
	return fields === null ? value : pick(value, parse(fields))
}
