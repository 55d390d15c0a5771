import { Broken, demand } from './problem.ts'
import { messages, text, type Tree } from './text-tree.ts'

/** A cell as far as order goes: null first, then numbers, or bytes. Undefined where its order is not known here. */
export type Cell = bigint | Buffer | null | undefined

export interface CheckedColumn {
	readonly name: string
	/** `UTF8`, `DECIMAL`, `PG`, … */
	readonly type: string
	readonly isOptional: boolean
}

export interface CheckedTable {
	readonly columns: readonly CheckedColumn[]
	/** Indexes of the key's columns. */
	readonly key: readonly number[]
	readonly partitions: number
	/** First keys of all partitions but the first; undefined when it is not said, as with `uniform_partitions`. */
	readonly splits: readonly (readonly Cell[])[] | undefined
}

/** What `tools validate` demands of a `scheme.pb`, and what its data files depend on. Throws {@link Broken}. */
export function readTable(tree: Tree): CheckedTable {
	const columns = messages(tree, 'columns').map((column): CheckedColumn => {
		const name = text(column, 'name')
		demand(name !== undefined && name !== '', 'has a column without a name')
		const [outer] = messages(column, 'type')
		const [optional] = messages(outer, 'optional_type')
		const [inner] = optional === undefined ? [outer] : messages(optional, 'item')
		const type =
			text(inner, 'type_id') ??
			(messages(inner, 'decimal_type').length > 0
				? 'DECIMAL'
				: messages(inner, 'pg_type').length > 0
					? 'PG'
					: undefined)
		demand(type !== undefined, `has the column ${name} without a type`)
		return { name, type, isOptional: optional !== undefined || type === 'PG' }
	})
	demand(columns.length > 0, 'has no columns')
	demand(new Set(columns.map(({ name }) => name)).size === columns.length, 'has two columns of one name')
	const names = (tree.fields.get('primary_key') ?? []).map(String)
	demand(names.length > 0, 'has no primary key')
	const key = names.map((name) => {
		const at = columns.findIndex((column) => column.name === name)
		demand(at >= 0, `has ${name} in its primary key, which is no column`)
		return at
	})
	const uniform = text(tree, 'uniform_partitions')
	const [atKeys] = messages(tree, 'partition_at_keys')
	demand(uniform === undefined || atKeys === undefined, 'says twice how it is partitioned')
	if (uniform !== undefined) return { columns, key, partitions: Number(uniform), splits: undefined }
	const splits = messages(atKeys, 'split_points').map((point) =>
		splitPoint(
			point,
			key.map((at) => columns[at]!),
		),
	)
	for (const [index, split] of splits.entries()) {
		demand(index === 0 || compareKeys(splits[index - 1]!, split) !== 1, `has its split points out of order`)
	}
	return { columns, key, partitions: splits.length + 1, splits }
}

function splitPoint(point: Tree, key: readonly CheckedColumn[]): Cell[] {
	const [value] = messages(point, 'value')
	const items = messages(value, 'items')
	demand(items.length > 0 && items.length <= key.length, 'has a split point of another shape than its key')
	return items.map((item, at): Cell => {
		const [name, [content] = []] = Array.from(item.fields)[0] ?? []
		if (name === undefined || name === 'null_flag_value') return null
		if (name === 'bytes_value' || name === 'text_value') return Buffer.isBuffer(content) ? content : undefined
		if (name === 'bool_value') return content === 'true' ? 1n : 0n
		const isInteger = typeof content === 'string' && /^-?\d+$/u.test(content)
		return isInteger && orderOf(key[at]!.type) !== undefined ? BigInt(content) : undefined
	})
}

/** -1, 0 or 1; 0 as soon as something has no order here. A shorter key is a prefix, and comes first. */
export function compareKeys(a: readonly Cell[], b: readonly Cell[]): -1 | 0 | 1 {
	for (const [at, left] of a.entries()) {
		if (at >= b.length) return 0
		const right = b[at]
		if (left === undefined || right === undefined) return 0
		if (left === null || right === null) {
			if (left === right) continue
			return left === null ? -1 : 1
		}
		if (typeof left !== typeof right) return 0
		const order =
			typeof left === 'bigint'
				? left < (right as bigint)
					? -1
					: left > (right as bigint)
						? 1
						: 0
				: Math.sign(Buffer.compare(left, right as Buffer))
		if (order !== 0) return order as -1 | 1
	}
	return 0
}

const INTEGERS: Readonly<Record<string, readonly [bigint, bigint]>> = Object.fromEntries(
	[8, 16, 32, 64].flatMap((bits) => [
		[`INT${bits}`, [-(2n ** BigInt(bits - 1)), 2n ** BigInt(bits - 1) - 1n]],
		[`UINT${bits}`, [0n, 2n ** BigInt(bits) - 1n]],
	]),
)
const SIGNED_TIMES = new Set(['INTERVAL', 'DATE32', 'DATETIME64', 'TIMESTAMP64', 'INTERVAL64'])
const TEXTS = new Set(['STRING', 'UTF8', 'JSON', 'YSON', 'JSON_DOCUMENT', 'PG'])
const ISO = /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?Z)?$/u
const OTHERS: Readonly<Record<string, RegExp>> = {
	BOOL: /^(?:0|1|true|false)$/u,
	FLOAT: /^(?:-?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?|-?inf|nan)$/u,
	DOUBLE: /^(?:-?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?|-?inf|nan)$/u,
	DECIMAL: /^(?:-?\d+(?:\.\d+)?|-?inf|nan)$/u,
	DYNUMBER: /^(?:-?\.?\d[\d.]*(?:[eE][-+]?\d+)?|-?inf|nan)$/u,
	UUID: /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/iu,
}

/** How the cells of a key column are ordered here; undefined when they are not. */
function orderOf(type: string): 'number' | 'bytes' | 'time' | undefined {
	if (type in INTEGERS || SIGNED_TIMES.has(type) || type === 'BOOL') return 'number'
	if (type === 'STRING' || type === 'UTF8') return 'bytes'
	return type === 'DATE' || type === 'DATETIME' || type === 'TIMESTAMP' ? 'time' : undefined
}

/** One cell as it stands in a line. Throws {@link Broken} for what the importer's parser refuses. */
export function readCell(cell: string, { name, type, isOptional }: CheckedColumn): Cell {
	if (cell === 'null') {
		demand(isOptional, `has null in ${name}, which cannot be null`)
		return null
	}
	demand(cell !== '', `has nothing in ${name}`)
	if (TEXTS.has(type)) {
		const isQuoted = /^"(?:[A-Za-z0-9!$*\-./;@_~^+]|%[0-9A-Fa-f]{2})*"$/u.test(cell)
		demand(isQuoted, `has a text in ${name} that is not quoted and escaped`)
		return orderOf(type) === undefined ? undefined : unescape(cell.slice(1, -1))
	}
	const range = INTEGERS[type]
	if (range !== undefined || SIGNED_TIMES.has(type)) {
		demand(/^-?\d+$/u.test(cell), `has no number in ${name}`)
		const value = BigInt(cell)
		demand(range === undefined || (value >= range[0] && value <= range[1]), `has a number in ${name} that is too large`)
		return value
	}
	if (orderOf(type) === 'time') {
		const [, day, time = '00:00:00', fraction = ''] = ISO.exec(cell) ?? []
		const seconds = Date.parse(`${day}T${time}Z`) / 1000
		demand(Number.isFinite(seconds), `has no time in ${name}`)
		if (type === 'DATE') return BigInt(Math.floor(seconds / 86_400))
		return type === 'DATETIME' ? BigInt(seconds) : BigInt(seconds) * 1_000_000n + BigInt(fraction.padEnd(6, '0'))
	}
	const like = OTHERS[type]
	if (like === undefined) throw new Broken(`has the column ${name} of type ${type}, which an import does not know`)
	demand(like.test(cell), `has no ${type} in ${name}`)
	return type === 'BOOL' ? (cell === '1' || cell === 'true' ? 1n : 0n) : undefined
}

function unescape(escaped: string): Buffer {
	const plain = escaped
		.replaceAll('+', ' ')
		.replaceAll(/%(..)/gu, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
	return Buffer.from(plain, 'latin1')
}
