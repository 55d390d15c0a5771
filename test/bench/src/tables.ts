import { create, toBinary } from '@bufbuild/protobuf'
import { NullValue } from '@bufbuild/protobuf/wkt'
import { ValueSchema } from '@ydbjs/api/value'
import type { PrimitiveName, ProtoText, RowChunk, TableSchema, YdbType } from '@ydbackup/core'
import { parseProtoText } from '@ydbackup/format'
import { chunkFromFrames, createKeyReader } from '@ydbackup/rows'

/** A table of the benchmark. The first column is the key: `id Uint64 NOT NULL`, always the first cell of a row. */
export interface BenchTable {
	readonly path: string
	readonly schema: TableSchema
	readonly scheme: ProtoText
	/** Share of the row bytes of the whole benchmark. */
	readonly share: number
	/** One row's cells after the key, different for every row. */
	cells(random: () => number): object[]
}

const optional = (item: YdbType): YdbType => ({ kind: 'optional', item })
const of = (name: PrimitiveName): YdbType => ({ kind: 'primitive', name })
const PROTO: Partial<Record<PrimitiveName, string>> = { JsonDocument: 'JSON_DOCUMENT' }

function spell(type: YdbType): string {
	if (type.kind === 'optional') return `optional_type { item { ${spell(type.item)} } }`
	if (type.kind === 'decimal') return `decimal_type { precision: ${type.precision} scale: ${type.scale} }`
	if (type.kind !== 'primitive') throw new Error(`no benchmark has a ${type.kind}`)
	return `type_id: ${PROTO[type.name] ?? type.name.toUpperCase()}`
}

const PARTITIONS = 4

function schemeOf(columns: TableSchema['columns'], rows: number): ProtoText {
	const lines = columns.map(({ name, type }) => {
		const notNull = type.kind === 'optional' ? '' : ' not_null: true'
		return `columns { name: "${name}" type { ${spell(type)} }${notNull} }`
	})
	const points = Array.from({ length: PARTITIONS - 1 }, (_, at) => Math.floor((rows * (at + 1)) / PARTITIONS)).map(
		(key) =>
			`split_points { type { tuple_type { elements { optional_type { item { type_id: UINT64 } } } } } value { items { uint64_value: ${key} } } }`,
	)
	return parseProtoText(`${lines.join('\n')} primary_key: "id" partition_at_keys { ${points.join(' ')} }`, 'benchmark')
}

const letters = 'abcdefghijklmnopqrstuvwxyz     eaiotnsr'
const text = (random: () => number, length: number): string => {
	let out = ''
	for (let at = 0; at < length; at++) out += letters[Math.floor(random() * letters.length)]
	return out
}
const bytes = (random: () => number, length: number): Uint8Array => Uint8Array.from({ length }, () => random() * 256)
const big = (random: () => number): bigint => BigInt(Math.floor(random() * 2 ** 50))
const value = (name: string, plain: unknown): object => ({ value: { case: name, value: plain } })
const NULL = value('nullFlagValue', NullValue.NULL_VALUE)

const shapes: readonly (Omit<BenchTable, 'scheme' | 'schema'> & { columns: TableSchema['columns'] })[] = [
	{
		path: 'bench/mixed',
		share: 0.6,
		columns: [
			{ name: 'id', type: of('Uint64') },
			{ name: 'amount', type: optional(of('Int32')) },
			{ name: 'active', type: of('Bool') },
			{ name: 'ratio', type: of('Double') },
			{ name: 'title', type: of('Utf8') },
			{ name: 'comment', type: optional(of('Utf8')) },
			{ name: 'digest', type: of('String') },
			{ name: 'at', type: of('Timestamp') },
			{ name: 'balance', type: optional(of('Int64')) },
			{ name: 'price', type: { kind: 'decimal', precision: 22, scale: 9 } },
			{ name: 'day', type: of('Date') },
			{ name: 'extra', type: optional(of('Json')) },
		],
		cells: (random) => [
			random() < 0.1 ? NULL : value('int32Value', Math.floor(random() * 1e9) - 5e8),
			value('boolValue', random() < 0.5),
			value('doubleValue', Math.round(random() * 1e8) / 1e4),
			value('textValue', text(random, 24)),
			random() < 0.2 ? NULL : value('textValue', `Привет, ${text(random, 30)}`),
			value('bytesValue', bytes(random, 32)),
			value('uint64Value', 1_700_000_000_000_000n + big(random)),
			random() < 0.1 ? NULL : value('int64Value', big(random) - 2n ** 49n),
			{ value: { case: 'low128', value: big(random) }, high128: 0n },
			value('uint32Value', Math.floor(random() * 20_000)),
			random() < 0.2 ? NULL : value('textValue', JSON.stringify({ k: text(random, 8), n: Math.floor(random() * 1e6) })),
		],
	},
	{
		path: 'bench/narrow',
		share: 0.15,
		columns: [
			{ name: 'id', type: of('Uint64') },
			{ name: 'a', type: of('Uint32') },
			{ name: 'b', type: optional(of('Int32')) },
		],
		cells: (random) => [
			value('uint32Value', Math.floor(random() * 2 ** 32)),
			random() < 0.1 ? NULL : value('int32Value', Math.floor(random() * 1000)),
		],
	},
	{
		path: 'bench/wide',
		share: 0.25,
		columns: [
			{ name: 'id', type: of('Uint64') },
			{ name: 'body', type: of('Utf8') },
			{ name: 'blob', type: optional(of('String')) },
		],
		cells: (random) => [value('textValue', text(random, 3000)), value('bytesValue', bytes(random, 1000))],
	},
]

const TEMPLATE_BYTES = 6 << 20

/** A repeatable generator: the same seed, the same rows. */
function generator(seed: number): () => number {
	let state = seed
	return () => {
		state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x6d2b79f5) | 0
		let mixed = Math.imul(state ^ (state >>> 12), 0x297a2d39)
		mixed ^= mixed >>> 15
		return (mixed >>> 0) / 2 ** 32
	}
}

interface Template {
	readonly bytes: Uint8Array
	/** Where each row's eight key bytes are. */
	readonly keys: readonly number[]
	readonly ends: readonly number[]
}

/** Distinct rows, more of them than a compression frame can see, so that repeating them is not cheaper to compress than new ones. */
function templateOf(cells: BenchTable['cells']): Template {
	const random = generator(42)
	const parts: Uint8Array[] = []
	const keys: number[] = []
	const ends: number[] = []
	let size = 0
	while (size < TEMPLATE_BYTES) {
		const items = [value('uint64Value', 0n), ...cells(random)]
		const row = toBinary(ValueSchema, create(ValueSchema, { items } as never))
		const head = [0x62]
		for (let rest = row.length; ; rest >>>= 7) {
			head.push(rest > 127 ? (rest & 127) | 128 : rest)
			if (rest <= 127) break
		}
		keys.push(size + head.length + 3)
		parts.push(Uint8Array.from(head), row)
		size += head.length + row.length
		ends.push(size)
	}
	return { bytes: Buffer.concat(parts), keys, ends }
}

export interface FilledTable extends BenchTable {
	readonly rows: number
	readonly rowBytes: number
	chunks(): Generator<RowChunk>
}

/** The tables with about `totalBytes` of row bytes together. */
export function benchTables(totalBytes: number): FilledTable[] {
	return shapes.map(({ columns, ...shape }) => {
		const template = templateOf(shape.cells)
		const perRow = template.bytes.length / template.keys.length
		const rows = Math.ceil((totalBytes * shape.share) / perRow)
		const schema: TableSchema = { columns, primaryKey: ['id'] }
		const reader = createKeyReader(schema)
		return {
			...shape,
			schema,
			scheme: schemeOf(columns, rows),
			rows,
			rowBytes: Math.round(rows * perRow),
			*chunks() {
				const perChunk = Math.max(1, Math.floor((256 << 10) / perRow))
				let id = 0
				while (id < rows) {
					const first = id % template.keys.length
					const last = Math.min(first + perChunk, first + rows - id, template.keys.length)
					const start = first === 0 ? 0 : template.ends[first - 1]!
					const out = Buffer.from(template.bytes.subarray(start, template.ends[last - 1]))
					for (let at = first; at < last; at++) out.writeBigUInt64LE(BigInt(id++), template.keys[at]! - start)
					yield chunkFromFrames(out, last - first, reader)
				}
			},
		}
	})
}
