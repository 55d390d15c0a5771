/** A value that JSON can hold. Members that are `undefined` are left out. */
export type JsonValue =
	| string
	| number
	| boolean
	| null
	| undefined
	| readonly JsonValue[]
	| { readonly [key: string]: JsonValue }

/** The one spelling of a JSON value: keys in the order of their UTF-16 units, no white space, numbers and strings as `JSON.stringify` has them. */
export function canonicalJson(value: JsonValue): string {
	if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null)
	if (isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
	return joinMembers(canonicalMembers(value))
}

/** The members of a record in canonical order, each with the canonical spelling of its value. */
export function canonicalMembers(record: { readonly [key: string]: JsonValue }): [string, string][] {
	const members: [string, string][] = []
	// By hand, because an object puts keys that look like numbers first.
	for (const key of Object.keys(record).toSorted(compareUnits)) {
		const value = record[key]
		if (value !== undefined) members.push([key, canonicalJson(value)])
	}
	return members
}

export function joinMembers(members: readonly (readonly [string, string])[]): string {
	return `{${members.map(([key, text]) => `${JSON.stringify(key)}:${text}`).join(',')}}`
}

function compareUnits(a: string, b: string): number {
	return a < b ? -1 : a > b ? 1 : 0
}

function isArray(value: object): value is readonly JsonValue[] {
	return Array.isArray(value)
}
