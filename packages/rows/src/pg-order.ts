type BytesOrder = (a: Uint8Array, b: Uint8Array) => number

const text = (bytes: Uint8Array): string =>
	Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
const inBytes: BytesOrder = (a, b) => Buffer.compare(a, b)

/** Values arrive as PostgreSQL prints them. Only types whose text gives their order without doubt are here. */
const ORDERS: Record<string, BytesOrder> = {
	bool: (a, b) => Number(/^[t1]/.test(text(a))) - Number(/^[t1]/.test(text(b))),
	bytea: inBytes,
	int2: byInteger,
	int4: byInteger,
	int8: byInteger,
	oid: byInteger,
	text: inBytes,
	varchar: inBytes,
	uuid: inBytes,
	float4: byNumber,
	float8: byNumber,
}

function byInteger(a: Uint8Array, b: Uint8Array): number {
	const x = BigInt(text(a))
	const y = BigInt(text(b))
	return x < y ? -1 : x > y ? 1 : 0
}

function byNumber(a: Uint8Array, b: Uint8Array): number {
	const x = Number(text(a))
	const y = Number(text(b))
	// PostgreSQL: NaN is equal to itself and above every other number.
	if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y))
	return x < y ? -1 : x > y ? 1 : 0
}

/** The order of a pg type's values given as text, or undefined when it is not known. The name may carry YDB's `pg` prefix. */
export function comparePgText(name: string): BytesOrder | undefined {
	return ORDERS[name.replace(/^pg/, '')]
}
