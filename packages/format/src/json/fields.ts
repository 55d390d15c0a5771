import type { BackupError } from '@ydbackup/core'
import type { JsonValue } from './canonical-json.ts'
import type { Complain } from './parse-json.ts'

export interface TextRule {
	/** Longest text, in UTF-16 units. Default 1024. */
	readonly max?: number
	/** What the text must look like, with a word for it. */
	readonly like?: readonly [RegExp, string]
}

const LONGEST = 1024

/** The fields of a JSON object that somebody else wrote. Only its own members are seen; those that are not asked for are ignored. */
export class Fields {
	readonly #record: { readonly [key: string]: JsonValue }
	readonly #where: string
	readonly #complain: Complain

	/** `where` is the place of the object in the file, for errors: `objects[3]`, or empty for the whole. */
	constructor(value: JsonValue, where: string, complain: Complain) {
		if (typeof value !== 'object' || value === null || Array.isArray(value)) {
			throw complain(`${where === '' ? 'is' : `has ${where}, which is`} no object`)
		}
		this.#record = value as { readonly [key: string]: JsonValue }
		this.#where = where
		this.#complain = complain
	}

	has(name: string): boolean {
		return Object.hasOwn(this.#record, name)
	}

	raw(name: string): JsonValue {
		return this.has(name) ? this.#record[name] : undefined
	}

	/** Every member, in the order of the file; those that look like numbers first. */
	entries(): [string, JsonValue][] {
		return Object.entries(this.#record)
	}

	text(name: string, rule: TextRule = {}): string {
		const value = this.raw(name)
		if (typeof value !== 'string') throw this.bad(name, 'is no text')
		if (value.length > (rule.max ?? LONGEST)) throw this.bad(name, `is longer than ${rule.max ?? LONGEST}`)
		if (!value.isWellFormed()) throw this.bad(name, 'is no Unicode text')
		if (rule.like !== undefined && !rule.like[0].test(value)) throw this.bad(name, `is no ${rule.like[1]}`, value)
		return value
	}

	textIf(name: string, rule: TextRule = {}): string | undefined {
		return this.has(name) ? this.text(name, rule) : undefined
	}

	/** A whole number from 0 to 2^53 - 1. */
	count(name: string): number {
		const value = this.raw(name)
		if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
			throw this.bad(name, 'is no whole number from 0 to 2^53 - 1', value)
		}
		return value
	}

	countIf(name: string): number | undefined {
		return this.has(name) ? this.count(name) : undefined
	}

	flag(name: string): boolean {
		const value = this.raw(name)
		if (typeof value !== 'boolean') throw this.bad(name, 'is neither true nor false', value)
		return value
	}

	flagIf(name: string): boolean | undefined {
		return this.has(name) ? this.flag(name) : undefined
	}

	fields(name: string): Fields {
		return new Fields(this.raw(name), this.#at(name), this.#complain)
	}

	/** The objects of an array. */
	list(name: string): Fields[] {
		return this.#array(name).map((item, index) => new Fields(item, `${this.#at(name)}[${index}]`, this.#complain))
	}

	texts(name: string, rule: TextRule = {}): string[] {
		return this.#array(name).map((item, index) => {
			const one = new Fields({ [index]: item }, this.#at(name), this.#complain)
			return one.text(String(index), rule)
		})
	}

	/** An object whose members are all texts. A member named `__proto__` is one like any other. */
	textRecord(name: string, rule: TextRule = {}): Record<string, string> {
		const fields = this.fields(name)
		return Object.fromEntries(fields.entries().map(([key]) => [key, fields.text(key, rule)]))
	}

	/** The error for a field. */
	bad(name: string, what: string, value?: JsonValue): BackupError {
		const found = value === undefined ? '' : ` (${JSON.stringify(value).slice(0, 80)})`
		return this.#complain(`has ${this.#at(name)}, which ${this.has(name) ? `${what}${found}` : 'is missing'}`)
	}

	#array(name: string): readonly JsonValue[] {
		const value = this.raw(name)
		if (!Array.isArray(value)) throw this.bad(name, 'is no array')
		return value as readonly JsonValue[]
	}

	#at(name: string): string {
		const shown = name.length > 100 ? `${name.slice(0, 100)}…` : name
		return this.#where === '' ? shown : `${this.#where}.${shown}`
	}
}
