/** Where a behaviour is known from; that it is a guess; that nobody knows what YDB does; that the emulator refuses it by name. */
export type Grade = `verified: ${string}` | 'guess' | 'unknown' | 'unsupported'

/** One thing that YDB does, and what the emulator makes of it. */
export interface Fact {
	readonly area: string
	readonly behaviour: string
	readonly grade: Grade
	/** The test that asserts it: `file: title`, with the title as far as it tells the test from others. */
	readonly test?: string
	/** For what is refused: a statement, and what stands in the answer. A test sends each. */
	readonly refused?: { readonly query: string; readonly text: string }
}

type Row = readonly [grade: Grade, behaviour: string, test?: string]

export function facts(area: string, rows: readonly Row[]): Fact[] {
	return rows.map(([grade, behaviour, test]) => ({ area, behaviour, grade, ...(test !== undefined && { test }) }))
}

/** What a statement is refused for with UNSUPPORTED. */
export function refusals(
	area: string,
	rows: readonly (readonly [behaviour: string, query: string, text: string])[],
): Fact[] {
	return rows.map(([behaviour, query, text]) => ({ area, behaviour, grade: 'unsupported', refused: { query, text } }))
}
