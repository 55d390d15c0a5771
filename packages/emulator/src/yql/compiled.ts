import { YdbError } from '../error.ts'
import type { Datum, Typed } from './datum.ts'
import type { YqlType } from './types.ts'

/** Gives the value of a column of the row at hand. */
export type Row = (column: number) => Datum

/** An expression whose types are known. */
export interface Compiled {
	readonly type: YqlType
	/** Whether it stands in the text itself: literals convert more freely. */
	readonly literal: boolean
	readonly constant: boolean
	value(row: Row): Datum
}

/** The row of an expression that needs none. */
export const NO_ROW: Row = () => {
	throw new YdbError('INTERNAL_ERROR', 'a constant asked for a row')
}

export function constant({ type, value }: Typed, literal = false): Compiled {
	return { type, literal, constant: true, value: () => value }
}

/** An expression of parts; computed once when all of them are constant. */
export function folded(parts: readonly Compiled[], type: YqlType, run: Compiled['value']): Compiled {
	return parts.every((part) => part.constant)
		? constant({ type, value: run(NO_ROW) })
		: { type, literal: false, constant: false, value: run }
}
