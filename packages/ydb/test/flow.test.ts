import { getEventListeners } from 'node:events'
import { BackupError, isBackupError } from '@ydbackup/core'
import { expect, test, vi } from 'vitest'
import { bounded } from '../src/call/bounded.ts'
import { Patience, patiently } from '../src/call/patience.ts'
import { ByteBudget } from '../src/rows/byte-budget.ts'
import { SharedTake } from '../src/rows/shared-take.ts'
import { Window } from '../src/write/window.ts'
import { errorOf } from './support/error-of.ts'

const later = (code: 'DATABASE_UNREACHABLE' | 'DATABASE_REFUSED' = 'DATABASE_UNREACHABLE'): BackupError =>
	new BackupError(code, 'cannot feed the cat: UNAVAILABLE', { retry: 'later', advice: 'wait', reason: 'UNAVAILABLE' })

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('what may help is tried again, and told of', async () => {
	const reasons: unknown[] = []
	let tries = 0
	const result = await patiently({ doing: 'feed the cat', onRetry: (reason) => reasons.push(reason) }, async () => {
		if (++tries < 4) throw later()
		return 'fed'
	})
	expect(result).toBe('fed')
	expect(reasons).toHaveLength(3)
	expect(reasons.every((reason) => isBackupError(reason, 'DATABASE_UNREACHABLE'))).toBe(true)
})

test('what cannot help is not tried again', async () => {
	const work = vi.fn<() => Promise<never>>(() => Promise.reject(new BackupError('PATH_EXISTS', 'there already')))
	expect((await errorOf(patiently({ doing: 'make it' }, work))).message).toBe('there already')
	expect(work).toHaveBeenCalledTimes(1)
})

test('at the end of its time it says what it waited for and how long', async () => {
	const begun = performance.now()
	const error = await errorOf(patiently({ doing: 'feed the cat', budgetMs: 150 }, () => Promise.reject(later())))
	expect(performance.now() - begun).toBeLessThan(1_000)
	expect(error).toMatchObject({
		code: 'DATABASE_UNREACHABLE',
		message: 'cannot feed the cat: UNAVAILABLE (given up after 0.15 s)',
		retry: 'later',
		advice: 'wait',
		reason: 'UNAVAILABLE',
	})
})

test('the time begins at the first failure, and anew after progress', async () => {
	const patience = new Patience({ doing: 'x', budgetMs: 100 })
	await new Promise((resolve) => setTimeout(resolve, 120))
	for (let round = 0; round < 6; round++) {
		await patience.failed(later())
		await new Promise((resolve) => setTimeout(resolve, 20))
		patience.reset()
	}
	await expect(
		(async () => {
			for (;;) await patience.failed(later())
		})(),
	).rejects.toMatchObject({ code: 'DATABASE_UNREACHABLE' })
})

test('a stop ends a pause at once', async () => {
	const stop = new AbortController()
	const work = patiently({ doing: 'feed the cat', signal: stop.signal }, () => Promise.reject(later()))
	setTimeout(() => stop.abort(), 100)
	const begun = performance.now()
	expect(await errorOf(work)).toMatchObject({ code: 'INTERRUPTED', message: 'stopped while feed the cat' })
	expect(performance.now() - begun).toBeLessThan(500)
})

test('a bounded call leaves nothing at the signal that outlives it', async () => {
	const { signal } = new AbortController()
	const calls = Array.from({ length: 50 }, (_, at) =>
		bounded(signal, 60_000, async (bound) => {
			await turn()
			if (at % 2 === 0) throw new Error('no')
			return bound.aborted
		}),
	)
	expect(getEventListeners(signal, 'abort')).toHaveLength(50)
	const ended = await Promise.allSettled(calls)
	expect(ended.filter((call) => call.status === 'fulfilled' && call.value === false)).toHaveLength(25)
	expect(getEventListeners(signal, 'abort')).toHaveLength(0)
})

test('a bounded call ends with its time and with its signal', async () => {
	const untilAborted = (bound: AbortSignal): Promise<never> =>
		new Promise((_, reject) => {
			const give = (): void => reject(bound.reason)
			if (bound.aborted) give()
			bound.addEventListener('abort', give)
		})
	expect((await errorOf(bounded(undefined, 20, untilAborted))).name).toBe('TimeoutError')
	const reason = new BackupError('INTERRUPTED', 'stop')
	const stop = new AbortController()
	const call = bounded(stop.signal, 60_000, untilAborted)
	stop.abort(reason)
	expect(await errorOf(call)).toBe(reason)
	expect(await errorOf(bounded(AbortSignal.abort(reason), 60_000, untilAborted))).toBe(reason)
})

test('a window halves when it is too much and grows by one in each round that went well', () => {
	const window = new Window(4, 6)
	window.overloaded()
	expect(window.size).toBe(2)
	for (let down = 0; down < 5; down++) window.overloaded()
	expect(window.size).toBe(1)
	const sizes: number[] = []
	for (let well = 0; well < 30; well++) {
		window.succeeded()
		sizes.push(window.size)
	}
	expect(sizes.slice(0, 6)).toEqual([2, 2, 3, 3, 3, 4])
	expect(sizes.at(-1)).toBe(6)
})

test('bytes are lent in order, and never more than there are', async () => {
	const budget = new ByteBudget(10)
	const first = await budget.take(6, undefined)
	const served: string[] = []
	const big = budget.take(8, undefined).then((give) => (served.push('big'), give))
	const small = budget.take(2, undefined).then((give) => (served.push('small'), give))
	await turn()
	// The small one would fit, and waits: else the big one would starve.
	expect(served).toEqual([])
	first()
	first()
	await Promise.all([big, small])
	expect(served).toEqual(['big', 'small'])
	let third = false
	const more = budget.take(1, undefined).then(() => (third = true))
	await turn()
	expect(third).toBe(false)
	;(await small)()
	await more
})

test('more bytes than the whole budget are taken as the whole', async () => {
	const budget = new ByteBudget(10)
	const all = await budget.take(1_000, undefined)
	let isNext = false
	const next = budget.take(1, undefined).then(() => (isNext = true))
	await turn()
	expect(isNext).toBe(false)
	all()
	await next
})

test('who leaves the queue lets those behind through', async () => {
	const budget = new ByteBudget(10)
	await budget.take(6, undefined)
	const stop = new AbortController()
	const big = errorOf(budget.take(8, stop.signal))
	const small = budget.take(2, undefined)
	stop.abort()
	expect(await big).toMatchObject({ code: 'INTERRUPTED' })
	await small
	expect(getEventListeners(stop.signal, 'abort')).toHaveLength(0)
	expect(await errorOf(budget.take(9, AbortSignal.abort()))).toMatchObject({ code: 'INTERRUPTED' })
})

test(
	'of readers of two streams each, none waits for ever, however little memory there is',
	{ timeout: 10_000 },
	async () => {
		const budget = new ByteBudget(10)
		let ended = 0
		const read = async (): Promise<void> => {
			const share = new SharedTake(budget)
			const first = await share.take(4, undefined)
			await turn()
			const second = await share.take(4, undefined)
			await turn()
			// Rows became wider: more than all that there is.
			first()
			const wide = await share.take(16, undefined)
			await turn()
			second()
			const other = await share.take(16, undefined)
			for (const giveBack of [wide, other, other]) giveBack()
			ended++
		}
		await Promise.all(Array.from({ length: 20 }, read))
		expect(ended).toBe(20)
		// All of it was given back.
		;(await budget.take(10, undefined))()
	},
)

test('a share that waits and is stopped holds nothing', async () => {
	const budget = new ByteBudget(10)
	const share = new SharedTake(budget)
	await share.take(4, undefined)
	const all = await budget.take(6, undefined)
	const stop = new AbortController()
	const waiting = errorOf(share.take(4, stop.signal))
	await turn()
	stop.abort(new Error('Ctrl-C'))
	expect(await waiting).toMatchObject({ code: 'INTERRUPTED' })
	all()
	;(await budget.take(10, undefined))()
})
