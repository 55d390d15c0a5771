import type { BackupError } from '@ydbackup/core'
import type { JsonValue } from './canonical-json.ts'

/** Makes the error of a file, of what is wrong with it: `is not JSON`. */
export type Complain = (what: string, cause?: unknown) => BackupError

export interface JsonLimits {
	readonly maxBytes: number
	/** How deep arrays and objects may lie inside each other. */
	readonly maxDepth?: number
	/** How many values and keys there may be: each costs memory that its bytes do not show. */
	readonly maxParts?: number
}

const DEPTH = 32
const PARTS = 16_000_000

/**
 * JSON of a stranger: bounded in size, depth and number of values before anything is built, UTF-8, no key twice in one object.
 * A key such as `__proto__` is a key like any other.
 */
export function parseJson(bytes: Uint8Array, limits: JsonLimits, complain: Complain): JsonValue {
	if (bytes.length > limits.maxBytes) {
		throw complain(`has ${bytes.length} bytes, and more than ${limits.maxBytes} are not read`)
	}
	const keys = scan(bytes, limits.maxDepth ?? DEPTH, limits.maxParts ?? PARTS, complain)
	let value: JsonValue
	try {
		value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)) as JsonValue
	} catch (error) {
		throw complain('is not JSON in UTF-8', error)
	}
	if (countKeys(value) !== keys) throw complain('has a key twice in one object')
	return value
}

const QUOTE = 0x22
const BACKSLASH = 0x5c

/** Counts the keys, and refuses what must not reach JSON.parse. Text that is no JSON may pass: it is refused there. */
function scan(bytes: Uint8Array, maxDepth: number, maxParts: number, complain: Complain): number {
	let depth = 0
	let keys = 0
	let commas = 0
	let opens = 0
	for (let p = 0; p < bytes.length; p++) {
		const byte = bytes[p]!
		if (byte === QUOTE) {
			p = stringEnd(bytes, p + 1)
		} else if (byte === 0x7b || byte === 0x5b) {
			opens++
			if (++depth > maxDepth) throw complain(`has more than ${maxDepth} arrays and objects inside each other`)
		} else if (byte === 0x7d || byte === 0x5d) {
			depth--
		} else if (byte === 0x3a) {
			keys++
		} else if (byte === 0x2c) {
			commas++
		}
	}
	if (keys + commas + opens > maxParts) throw complain(`has more than ${maxParts} values`)
	return keys
}

function stringEnd(bytes: Uint8Array, start: number): number {
	let p = start
	while (p < bytes.length) {
		const byte = bytes[p]!
		if (byte === QUOTE) return p
		p += byte === BACKSLASH ? 2 : 1
	}
	return p
}

function countKeys(value: JsonValue): number {
	if (typeof value !== 'object' || value === null) return 0
	let count = 0
	if (Array.isArray(value)) {
		for (const item of value as readonly JsonValue[]) count += countKeys(item)
		return count
	}
	for (const item of Object.values(value)) count += 1 + countKeys(item as JsonValue)
	return count
}
