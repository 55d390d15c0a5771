import { YdbError } from '../error.ts'

/**
 * A DyNumber's text as YDB prints it back: up to 38 digits, `.digits e exponent` for the general form. The exact printing is a
 * guess (source: test expectations such as `1E-130` in ydb/library/backup/ut/ut.cpp say only that texts pass through there), so a
 * text that is already valid is kept as it came.
 */
export function normalDyNumber(text: string, column: string): string {
	if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text))
		throw new YdbError('BAD_REQUEST', `Invalid DyNumber value in column ${column}`)
	const digits = text
		.replace(/e.*$/i, '')
		.replace(/[^\d]/g, '')
		.replace(/^0+|0+$/g, '')
	if (digits.length > 38) throw new YdbError('BAD_REQUEST', `DyNumber in column ${column} has more than 38 digits`)
	return text
}
