import { YdbError } from '../error.ts'

/** JSON in the normal form in which YDB prints a JsonDocument: no spaces, keys sorted by their bytes, numbers as doubles. */
export function normalJsonDocument(text: string, column: string): string {
	let value: unknown
	try {
		value = JSON.parse(text)
	} catch {
		throw new YdbError('BAD_REQUEST', `Invalid JsonDocument value in column ${column}`)
	}
	return print(value)
}

function print(value: unknown): string {
	if (Array.isArray(value)) return `[${value.map(print).join(',')}]`
	if (typeof value !== 'object' || value === null) return JSON.stringify(value)
	const entries = Object.entries(value).sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
	return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${print(item)}`).join(',')}}`
}
