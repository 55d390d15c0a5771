import { bareType, type TableSchema } from '@ydbackup/core'

interface Cell {
	readonly value: { readonly case: string | undefined; readonly value?: unknown }
	readonly high128: bigint
}

const escape = (text: string): string => `"${encodeURIComponent(text).replaceAll('%20', '+')}"`

/** The same CSV as a program would write it that has rows as objects: what ydbackup exists to avoid. */
export function naiveCsv(schema: TableSchema, rows: readonly { readonly items: readonly Cell[] }[]): string {
	const lines: string[] = []
	for (const { items } of rows) {
		const cells = items.map(({ value, high128 }, at) => {
			const type = bareType(schema.columns[at]!.type)
			if (value.case === 'nullFlagValue') return 'null'
			if (value.value instanceof Uint8Array) return escape(Buffer.from(value.value).toString('latin1'))
			if (typeof value.value === 'string') return escape(value.value)
			if (typeof value.value === 'boolean') return value.value ? '1' : '0'
			if (type.kind === 'decimal') {
				const digits = String((high128 << 64n) | (value.value as bigint)).padStart(type.scale + 1, '0')
				return `${digits.slice(0, -type.scale)}.${digits.slice(-type.scale)}`
			}
			if (type.kind === 'primitive' && type.name === 'Timestamp')
				return new Date(Number((value.value as bigint) / 1000n)).toISOString()
			if (type.kind === 'primitive' && type.name === 'Date')
				return new Date(Number(value.value) * 86_400_000).toISOString()
			return String(value.value)
		})
		lines.push(`${cells.join(',')}\n`)
	}
	return lines.join('')
}
