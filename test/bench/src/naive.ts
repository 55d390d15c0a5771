import type { Type, Value } from '@ydbjs/api/value'
import { fromYdb, type JSValue, toJs } from '@ydbjs/value'

export interface DecodedRows {
	readonly columns: readonly { readonly type?: Type | undefined }[]
	readonly rows: readonly { readonly items: readonly Value[] }[]
}

const escape = (text: string): string => `"${encodeURIComponent(text).replaceAll('%20', '+')}"`

function cellOf(value: JSValue): string {
	if (value === null || value === undefined) return 'null'
	if (value instanceof Uint8Array) return escape(Buffer.from(value).toString('latin1'))
	if (typeof value === 'string') return escape(value)
	if (typeof value === 'boolean') return value ? '1' : '0'
	if (value instanceof Date) return value.toISOString()
	return String(value)
}

/** The SDK has no Decimal (6.0.4), so a program must read the message itself. */
function decimalOf({ value, high128 }: Value, scale: number): string {
	if (value.case === 'nullFlagValue') return 'null'
	const digits = String((high128 << 64n) | (value.value as bigint)).padStart(scale + 1, '0')
	return `${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

function textOf(item: Value, type: Type): string {
	const bare = type.type.case === 'optionalType' ? type.type.value.item!.type : type.type
	return bare.case === 'decimalType' ? decimalOf(item, bare.value.scale) : cellOf(toJs(fromYdb(item, type)))
}

/**
 * The same CSV as a program writes it that takes rows as the official SDK gives them: messages decoded to objects, values to JavaScript's.
 * What ydbackup exists to avoid; not even right, because dates lose their microseconds on the way.
 */
export function naiveCsv({ columns, rows }: DecodedRows): string {
	const lines: string[] = []
	for (const { items } of rows) {
		const cells = items.map((item, at) => textOf(item, columns[at]!.type!))
		lines.push(`${cells.join(',')}\n`)
	}
	return lines.join('')
}
