import { badRequest } from './errors.ts'

/** Bytes `[start, end)`. */
export interface Span {
	readonly start: number
	readonly end: number
}

/** The span of a `Range` header; `undefined` for the whole object, `'none'` where no byte satisfies it (416). */
export function rangeOf(header: string | undefined, size: number): Span | 'none' | undefined {
	const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? []
	if (first === '' && last === '') return undefined
	if (first === '') return size === 0 || last === '0' ? 'none' : { start: Math.max(0, size - Number(last)), end: size }
	const start = Number(first)
	if (start >= size) return 'none'
	const end = last === '' ? size : Math.min(size, Number(last) + 1)
	return end <= start ? undefined : { start, end }
}

/** What a request to an upload session brings: its first byte (absent in a status query), how many, and the size of the whole where it is known. */
export interface Piece {
	readonly start: number | undefined
	readonly length: number
	readonly total: number | undefined
}

export function pieceOf(header: string | undefined, length: number): Piece {
	if (header === undefined) return { start: 0, length, total: length }
	const [, span = '', whole = ''] = /^bytes (\*|\d+-(?:\d+|\*))\/(\*|\d+)$/.exec(header) ?? []
	if (span === '') throw badRequest('Failed to parse Content-Range header.')
	const total = whole === '*' ? undefined : Number(whole)
	if (span === '*') {
		if (length > 0) throw badRequest('A status query has no body.')
		return { start: undefined, length, total }
	}
	const [start = 0, last = 0] = span.split('-').map(Number)
	if (!span.endsWith('*') && last - start + 1 !== length)
		throw badRequest(
			`Invalid request.  There were ${length} byte(s) in the request body.  There should have been ${last - start + 1} byte(s) (starting at offset ${start} and ending at offset ${last}) according to the Content-Range header.`,
		)
	if (total !== undefined && start + length > total) throw badRequest('The Content-Range is beyond its own total.')
	return { start, length, total }
}
