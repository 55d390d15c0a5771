import { readFileSync } from 'node:fs'

interface Schema {
	readonly $ref?: string
	readonly type?: string
	readonly const?: unknown
	readonly enum?: readonly unknown[]
	readonly pattern?: string
	readonly minimum?: number
	readonly required?: readonly string[]
	readonly properties?: Readonly<Record<string, Schema>>
	readonly additionalProperties?: Schema
	readonly items?: Schema
	readonly oneOf?: readonly Schema[]
	readonly anyOf?: readonly Schema[]
}

const KNOWN = new Set(
	'$ref $schema title description type const enum pattern minimum required properties additionalProperties items oneOf anyOf'.split(
		' ',
	),
)

export function readSchema(name: string): Schema {
	return JSON.parse(readFileSync(new URL(`../../schemas/${name}`, import.meta.url), 'utf8')) as Schema
}

const typeOf = (value: unknown): string =>
	value === null ? 'null' : Array.isArray(value) ? 'array' : Number.isInteger(value) ? 'integer' : typeof value

/**
 * Every way in which a value is not what a schema says. Knows as much of JSON Schema as our schemas use and throws for the
 * rest. Stricter in one point: a property that the schema does not name is a mistake, so that a schema cannot lag behind.
 */
export function mistakesOf(schema: Schema, value: unknown, at = '$'): string[] {
	const unknown = Object.keys(schema).filter((keyword) => !KNOWN.has(keyword))
	if (unknown.length > 0) throw new Error(`${at}: the check does not know ${unknown.join(', ')}`)
	if (schema.$ref !== undefined) return mistakesOf(readSchema(schema.$ref), value, at)
	const found: string[] = []
	const type = typeOf(value)
	if (schema.type !== undefined && schema.type !== type && !(schema.type === 'number' && type === 'integer'))
		return [`${at}: is ${type}, not ${schema.type}`]
	if ('const' in schema && value !== schema.const) found.push(`${at}: is not ${JSON.stringify(schema.const)}`)
	if (schema.enum !== undefined && !schema.enum.includes(value))
		found.push(`${at}: ${String(value)} is none of ${schema.enum.join(', ')}`)
	if (typeof value === 'string' && schema.pattern !== undefined && !new RegExp(schema.pattern).test(value))
		found.push(`${at}: ${value} does not match ${schema.pattern}`)
	if (typeof value === 'number' && schema.minimum !== undefined && value < schema.minimum)
		found.push(`${at}: ${value} is below ${schema.minimum}`)
	if (Array.isArray(value) && schema.items !== undefined)
		for (const [index, item] of value.entries()) found.push(...mistakesOf(schema.items, item, `${at}[${index}]`))
	if (type === 'object') found.push(...mistakesOfObject(schema, value as Record<string, unknown>, at))
	if (schema.oneOf !== undefined) {
		const tries = schema.oneOf.map((option) => mistakesOf(option, value, at))
		const fits = tries.filter((mistakes) => mistakes.length === 0).length
		if (fits !== 1) found.push(`${at}: fits ${fits} of ${tries.length} shapes: ${JSON.stringify(tries)}`)
	}
	if (schema.anyOf !== undefined && !schema.anyOf.some((option) => mistakesOf(option, value, at).length === 0))
		found.push(`${at}: fits none of ${schema.anyOf.length} shapes`)
	return found
}

function mistakesOfObject(schema: Schema, value: Record<string, unknown>, at: string): string[] {
	const found = (schema.required ?? []).filter((name) => !(name in value)).map((name) => `${at}.${name}: is missing`)
	for (const [name, item] of Object.entries(value)) {
		const known = schema.properties?.[name] ?? schema.additionalProperties
		if (known !== undefined) found.push(...mistakesOf(known, item, `${at}.${name}`))
		else if (schema.properties !== undefined) found.push(`${at}.${name}: the schema does not name it`)
	}
	return found
}
