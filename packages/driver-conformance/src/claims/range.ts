import { content, pieces, read } from '../bytes.ts'
import { type Claim, claimsOf, needs } from '../claim.ts'
import { refused, sameBytes } from '../expect.ts'

const skip = needs('rangeRead')

export const rangeClaims: readonly Claim[] = claimsOf('range', {
	exact: {
		title: 'a range has exactly its bytes',
		skip,
		async check({ store }) {
			const bytes = content('range', 1000)
			await store.put('object', bytes)
			for (const offset of [0, 1, 2, 499, 998, 999])
				for (const length of [1, 2, 3, 500, 998, 999, 1000, undefined]) {
					if (offset + (length ?? 0) > bytes.length) continue
					const range = { offset, ...(length !== undefined && { length }) }
					const end = length === undefined ? bytes.length : offset + length
					const expected = bytes.subarray(offset, end)
					sameBytes(
						await read(store, 'object', expected.length, { range }),
						expected,
						`the range from ${offset} to ${end}`,
					)
				}
		},
	},
	empty: {
		title: 'an empty range yields nothing',
		skip,
		async check({ store }) {
			await store.put('object', content('range', 100))
			for (const offset of [0, 50, 99])
				sameBytes(
					await read(store, 'object', 0, { range: { offset, length: 0 } }),
					new Uint8Array(0),
					`the empty range at ${offset}`,
				)
		},
	},
	beyond: {
		title: 'a range that starts or ends beyond the end fails with STORAGE_PERMANENT',
		skip,
		async check({ store }) {
			await store.put('object', content('range', 100))
			for (const range of [
				{ offset: 0, length: 101 },
				{ offset: 99, length: 2 },
				{ offset: 50, length: 2 ** 31 },
				{ offset: 100 },
				{ offset: 100, length: 1 },
				{ offset: 101 },
				{ offset: 2 ** 40, length: 1 },
			])
				await refused(
					read(store, 'object', 100, { range }),
					`the range ${JSON.stringify(range)} of 100 bytes`,
					'STORAGE_PERMANENT',
				)
		},
	},
	invalid: {
		title: 'a range that is none fails',
		skip,
		async check({ store }) {
			await store.put('object', content('range', 100))
			for (const range of [
				{ offset: -1 },
				{ offset: 0, length: -1 },
				{ offset: 0.5, length: 1 },
				{ offset: Number.NaN },
			])
				await refused(
					read(store, 'object', 100, { range }),
					`the range from ${range.offset} with length ${range.length}`,
					'STORAGE_PERMANENT',
				)
		},
	},
	absent: {
		title: 'a range of a missing object fails with STORAGE_NOT_FOUND',
		skip,
		async check({ store }) {
			await refused(
				read(store, 'missing', 1, { range: { offset: 5, length: 1 } }),
				'a range of a missing object',
				'STORAGE_NOT_FOUND',
			)
		},
	},
	large: {
		title: 'ranges in the middle of a large object are exact',
		level: 'full',
		skip,
		async check({ store, plan }) {
			const bytes = content('large range', plan.largeBytes)
			await store.put('object', pieces(bytes, 300_000))
			const around = [65_536, 2 ** 20, 5 * 2 ** 20, 8 * 2 ** 20, plan.largeBytes - 1]
			for (const point of around.filter((at) => at < plan.largeBytes))
				for (const length of [1, 2, 100_000]) {
					const offset = point - 1
					const end = Math.min(plan.largeBytes, offset + length)
					const expected = bytes.subarray(offset, end)
					sameBytes(
						await read(store, 'object', expected.length, { range: { offset, length: end - offset } }),
						expected,
						`the range from ${offset} to ${end}`,
					)
				}
		},
	},
})
