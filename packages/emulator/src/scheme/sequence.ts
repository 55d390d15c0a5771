import { create } from '@bufbuild/protobuf'
import { type SequenceDescription, SequenceDescriptionSchema } from '@ydbjs/api/table'
import { YdbError } from '../error.ts'

const LARGEST: Readonly<Record<string, bigint>> = {
	Int16: 32_767n,
	Int32: 2_147_483_647n,
	Int64: 9_223_372_036_854_775_807n,
}

/** The numbers of a serial column. Source: YDB's documentation of Serial types and ALTER SEQUENCE. */
export class Sequence {
	readonly name: string
	start: bigint
	increment: bigint
	readonly least: bigint
	most: bigint
	readonly cache: bigint
	readonly cycle: boolean
	next: bigint
	/** Whether the number called next was given out: the one after it comes then. */
	used: boolean
	/** Whether it moved since it was kept last. */
	moved = false
	/** What the next number was set to last: described without asking, and done again by every later ALTER SEQUENCE. */
	restarted: { readonly next: bigint; readonly used: boolean } | undefined

	constructor(given: SequenceDescription, column: string, type: string) {
		this.name = given.name || `_serial_column_${column}`
		const most = LARGEST[type]
		if (most === undefined)
			throw new YdbError('SCHEME_ERROR', `Column '${column}' of type ${type} cannot take its values from a sequence`)
		this.least = given.minValue ?? 1n
		this.most = given.maxValue ?? most
		this.start = given.startValue ?? this.least
		this.increment = given.increment ?? 1n
		this.cache = given.cache ?? 1n
		this.cycle = given.cycle ?? false
		this.next = given.setVal?.nextValue ?? this.start
		this.used = given.setVal?.nextUsed ?? false
		if (given.setVal) this.restarted = { next: this.next, used: this.used }
	}

	/** The next number; never the same twice, also when what wanted it fails. */
	take(): bigint {
		let value = this.used ? this.next + this.increment : this.next
		if (value > this.most || value < this.least) {
			if (!this.cycle)
				throw new YdbError('SCHEME_ERROR', `sequence [${this.name}] doesn't have any more values available`)
			value = this.increment > 0n ? this.least : this.most
		}
		this.next = value
		this.used = true
		this.moved = true
		return value
	}

	continueFrom({ next, used, start, increment, most, restarted }: Sequence): void {
		Object.assign(this, { next, used, start, increment, most, restarted })
	}

	/**
	 * ALTER SEQUENCE, with what servers 25.1 and 26.2 were measured to do: a start alone moves nothing, the last restart is done again, and
	 * the largest number becomes that of Int64.
	 */
	alter(change: { readonly start?: bigint; readonly increment?: bigint; readonly restart?: bigint }): void {
		this.start = change.start ?? this.start
		this.increment = change.increment ?? this.increment
		this.most = LARGEST.Int64!
		if (change.restart !== undefined) this.restarted = { next: change.restart, used: false }
		if (this.restarted) Object.assign(this, this.restarted)
	}

	describe(withValue: boolean): SequenceDescription {
		const { name, start, least, most, cache, increment, cycle } = this
		const told = withValue ? this : this.restarted
		return create(SequenceDescriptionSchema, {
			name,
			minValue: least,
			maxValue: most,
			startValue: start,
			cache,
			increment,
			cycle,
			...(told && { setVal: { nextValue: told.next, nextUsed: told.used } }),
		})
	}
}
