import { YdbError } from '../error.ts'
import { type Compiled, constant, folded } from './compiled.ts'
import { convert, ordering, typeError } from './convert.ts'
import { commonType, inType } from './common-type.ts'
import { type Datum, encode, integral } from './datum.ts'
import type { Position } from './lexer.ts'
import { MODULES } from './function-modules.ts'
import { coalesce } from './operators.ts'
import { bare, data, mayBeNull, optional, typeName, UTF8, type YqlType } from './types.ts'

export interface Call {
	/** As it was written, perhaps `Module::Name`. */
	readonly name: string
	readonly args: readonly Compiled[]
	readonly now: bigint
	readonly version: string
	readonly at: Position
}

const TEXTS = new Set(['String', 'Utf8', 'Json', 'Yson', 'JsonDocument'])
const DAY = 86_400_000_000n
const STRING = data('String')
const UINT32 = data('Uint32')

/** An argument in a type that it converts to silently, or in the Optional of it. */
export function argument(part: Compiled, wanted: YqlType, { name, at }: Pick<Call, 'name' | 'at'>): Compiled {
	if (part.type.kind === 'null') return part
	const type = mayBeNull(part.type) ? optional(wanted) : wanted
	const sample = part.literal ? part.value(() => null) : null
	const from = sample === null && !part.literal ? optional(part.type) : part.type
	if (!convert(sample, from, sample === null ? optional(type) : type, part.literal))
		throw typeError(
			at,
			`Mismatch type argument of ${name}: expected ${typeName(wanted)}, but got: ${typeName(part.type)}`,
		)
	return folded([part], type, (row) => inType(part, type, part.value(row)))
}

function expectArgs({ args, name, at }: Call, least: number, most = least): void {
	if (args.length >= least && args.length <= most) return
	const wanted = least === most ? `exactly ${least}` : `from ${least} to ${most}`
	throw typeError(at, `${name}() requires ${wanted} arguments, given: ${args.length}`)
}

/** A function of text: what it makes of NULL is NULL. */
function ofText(call: Call, result: YqlType, run: (text: Buffer) => Datum): Compiled {
	expectArgs(call, 1)
	const [item] = call.args
	const type = bare(item!.type)
	if (type.kind === 'null') return item!
	if (type.kind !== 'data' || !TEXTS.has(type.data.name))
		throw typeError(call.at, `Expected (optional) String or Utf8, but got: ${typeName(item!.type)}`)
	return folded([item!], mayBeNull(item!.type) ? optional(result) : result, (row) => {
		const value = item!.value(row)
		return value === null ? null : run(value as Buffer)
	})
}

function affix(call: Call, test: (text: Buffer, part: Buffer) => boolean): Compiled {
	expectArgs(call, 2)
	const [text, part] = call.args.map((each) => argument(each, STRING, call))
	const nullable = [text!, part!].some((each) => mayBeNull(each.type))
	const bool = data('Bool')
	return folded([text!, part!], nullable ? optional(bool) : bool, (row) => {
		const [a, b] = [text!.value(row), part!.value(row)]
		return a === null || b === null ? null : test(a as Buffer, b as Buffer)
	})
}

/** The least or the greatest of some values. */
function pick(call: Call, sign: number): Compiled {
	const { args, name, at } = call
	const type = commonType(args)
	const order = type && ordering(type)
	if (args.length === 0 || !type || !order)
		throw typeError(at, `${name}: uncompatible types: ${args.map((arg) => typeName(arg.type)).join(', ')}`)
	return folded(args, type, (row) => {
		let best: Datum = null
		for (const arg of args) {
			const value = inType(arg, type, arg.value(row))
			if (value === null) return null
			if (best === null || order(value, best) * sign > 0) best = value
		}
		return best
	})
}

const FUNCTIONS: Readonly<Record<string, (call: Call) => Compiled>> = {
	CURRENTUTCTIMESTAMP: ({ now }) => constant({ type: data('Timestamp'), value: now }),
	CURRENTUTCDATETIME: ({ now }) => constant({ type: data('Datetime'), value: now / 1_000_000n }),
	CURRENTUTCDATE: ({ now }) => constant({ type: data('Date'), value: now / DAY }),
	VERSION: ({ version }) => constant({ type: UTF8, value: Buffer.from(version) }),
	JUST(call) {
		expectArgs(call, 1)
		const [item] = call.args
		if (mayBeNull(item!.type))
			throw new YdbError('UNSUPPORTED', 'an Optional of an Optional is not emulated', 0, { at: call.at })
		return { ...item!, literal: false, type: optional(item!.type) }
	},
	UNWRAP(call) {
		expectArgs(call, 1, 2)
		const { at } = call
		const [item] = call.args
		if (!mayBeNull(item!.type)) throw typeError(at, `Expected optional type, but got: ${typeName(item!.type)}`)
		return folded([item!], bare(item!.type), (row) => {
			const value = item!.value(row)
			if (value === null) throw new YdbError('PRECONDITION_FAILED', 'Failed to unwrap empty optional', 0, { at })
			return value
		})
	},
	COALESCE: (call) => nvl(call),
	NVL: (call) => nvl(call),
	LENGTH: (call) => ofText(call, UINT32, (text) => BigInt(text.length)),
	LEN: (call) => ofText(call, UINT32, (text) => BigInt(text.length)),
	TOBYTES(call) {
		expectArgs(call, 1)
		const [item] = call.args
		const type = bare(item!.type)
		if (type.kind !== 'data')
			throw typeError(call.at, `Expected data or optional of data, but got: ${typeName(item!.type)}`)
		const { data: shape } = type
		return folded([item!], mayBeNull(item!.type) ? optional(STRING) : STRING, (row) => {
			const value = item!.value(row)
			if (value === null || Buffer.isBuffer(value)) return value
			const bits = integral(shape)?.bits
			const bytes = encode(value, type).subarray(1)
			return bits ? Buffer.from(bytes.subarray(0, bits / 8)) : Buffer.from(bytes)
		})
	},
	SUBSTRING(call) {
		expectArgs(call, 2, 3)
		const [text, ...bounds] = call.args
		const [from, count] = bounds.map((each) => argument(each, UINT32, call))
		const parts = [text!, from!, ...(count ? [count] : [])]
		const type = bare(text!.type)
		if (type.kind === 'null') return text!
		if (type.kind !== 'data' || type.data.name !== 'String')
			throw typeError(call.at, `Expected data type: String, but got: ${typeName(type)}`)
		return folded(parts, text!.type, (row) => {
			const value = text!.value(row) as Buffer | null
			if (value === null) return null
			const start = Number(from!.value(row) ?? 0n)
			const length = count?.value(row) ?? null
			return value.subarray(start, length === null ? undefined : start + Number(length))
		})
	},
	FIND(call) {
		expectArgs(call, 2, 3)
		const [text, part] = call.args.slice(0, 2).map((each) => argument(each, STRING, call))
		const from = call.args[2] && argument(call.args[2], UINT32, call)
		return folded([text!, part!, ...(from ? [from] : [])], optional(UINT32), (row) => {
			const [a, b] = [text!.value(row), part!.value(row)]
			if (a === null || b === null) return null
			const found = (a as Buffer).indexOf(b as Buffer, Number(from?.value(row) ?? 0n))
			return found < 0 ? null : BigInt(found)
		})
	},
	STARTSWITH: (call) => affix(call, (text, part) => text.subarray(0, part.length).equals(part)),
	ENDSWITH: (call) =>
		affix(call, (text, part) => text.length >= part.length && text.subarray(text.length - part.length).equals(part)),
	ABS(call) {
		expectArgs(call, 1)
		const [item] = call.args
		const type = bare(item!.type)
		const whole = type.kind === 'data' ? integral(type.data) : undefined
		if (type.kind !== 'data' || !(whole || ['Float', 'Double'].includes(type.data.name) || type.data.decimal))
			throw typeError(call.at, `Expected numeric type, but got: ${typeName(item!.type)}`)
		const result: YqlType = whole?.signed ? data(`Uint${whole.bits}`) : type
		return folded([item!], mayBeNull(item!.type) ? optional(result) : result, (row) => {
			const value = item!.value(row)
			return typeof value === 'number'
				? Math.abs(value)
				: value !== null && (value as bigint) < 0n
					? -(value as bigint)
					: value
		})
	},
	MIN_OF: (call) => pick(call, -1),
	MAX_OF: (call) => pick(call, 1),
	LEAST: (call) => pick(call, -1),
	GREATEST: (call) => pick(call, 1),
	LISTLENGTH(call) {
		expectArgs(call, 1)
		const [list] = call.args
		if (list!.type.kind !== 'list' && list!.type.kind !== 'emptyList')
			throw typeError(call.at, `Expected list type, but got: ${typeName(list!.type)}`)
		return folded([list!], data('Uint64'), (row) => BigInt((list!.value(row) as readonly Datum[]).length))
	},
}

function nvl(call: Call): Compiled {
	if (call.args.length === 0) throw typeError(call.at, `${call.name} needs arguments`)
	return coalesce(call.args, call.at)
}

/** A call of a function by name. A function that is not emulated is refused by name. */
export function callFunction(call: Call): Compiled {
	const upper = call.name.toUpperCase()
	if (Object.hasOwn(FUNCTIONS, upper)) return FUNCTIONS[upper]!(call)
	const found = MODULES.get(call.name)
	if (!found) throw new YdbError('UNSUPPORTED', `function ${call.name} is not emulated`, 0, { at: call.at })
	const { takes, gives, fails, run } = found
	expectArgs(call, takes.length)
	const args = call.args.map((arg, at) => argument(arg, takes[at]!, call))
	const type = fails || args.some((arg) => mayBeNull(arg.type)) ? optional(gives) : gives
	return folded(args, type, (row) => {
		const values = args.map((arg) => arg.value(row))
		return values.includes(null) ? null : run(...values)
	})
}
