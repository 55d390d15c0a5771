import type { Storage } from '@ydbackup/core'
import { content } from './bytes.ts'
import type { Latency, Recommended, Speed } from './report.ts'

const SMALL_BYTES = 1024
const LARGE_BYTES = 4 * 2 ** 20
const MOST_OBJECTS = 500

export interface SpeedOptions {
	/** How long one figure is measured. */
	readonly ms: number
	/** Calls in flight, ascending. */
	readonly widths: readonly number[]
	readonly signal: AbortSignal
}

interface Lap {
	/** Milliseconds of each call. */
	readonly each: readonly number[]
	readonly seconds: number
}

/** Calls, so many at once, until the time is over: each worker at least once. */
async function lap(
	width: number,
	{ ms, signal }: SpeedOptions,
	work: (index: number) => Promise<unknown>,
): Promise<Lap> {
	const begun = performance.now()
	const each: number[] = []
	let next = 0
	const worker = async (): Promise<void> => {
		do {
			signal.throwIfAborted()
			const start = performance.now()
			await work(next++)
			each.push(performance.now() - start)
		} while (performance.now() - begun < ms && next < MOST_OBJECTS)
	}
	await Promise.all(Array.from({ length: width }, worker))
	return { each, seconds: (performance.now() - begun) / 1000 }
}

function latency({ each }: Lap): Latency {
	const sorted = each.toSorted((a, b) => a - b)
	const at = (share: number): number =>
		Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0) * 100) / 100
	return { p50: at(0.5), p95: at(0.95) }
}

const throughput = ({ each, seconds }: Lap): number =>
	Math.round((each.length * LARGE_BYTES) / 1e5 / Math.max(seconds, 1e-6)) / 10

async function drain(store: Storage, key: string): Promise<void> {
	for await (const _ of (await store.get(key)).bytes);
}

/** Measures a store at each width, or as many calls in flight as it takes. */
export async function measureSpeed(store: Storage, options: SpeedOptions): Promise<Speed[]> {
	const small = content('small', SMALL_BYTES)
	const large = content('large', LARGE_BYTES)
	const widths = new Set(options.widths.map((width) => Math.min(width, store.capabilities.maxConcurrency)))
	const speeds: Speed[] = []
	for (const inFlight of widths) {
		const of = (kind: string, made: number) => (index: number) => `${kind}${inFlight}/${index % made}`
		const putSmall = await lap(inFlight, options, (index) => store.put(`small${inFlight}/${index}`, small))
		const getSmall = await lap(inFlight, options, (index) => drain(store, of('small', putSmall.each.length)(index)))
		const putLarge = await lap(inFlight, options, (index) => store.put(`large${inFlight}/${index}`, large))
		const getLarge = await lap(inFlight, options, (index) => drain(store, of('large', putLarge.each.length)(index)))
		speeds.push({
			inFlight,
			putMs: latency(putSmall),
			getMs: latency(getSmall),
			putMBps: throughput(putLarge),
			getMBps: throughput(getLarge),
		})
	}
	return speeds
}

/** The fewest calls in flight that come within a tenth of the best. */
export function recommend(speeds: readonly Speed[]): Recommended | undefined {
	const fewest = (figure: 'putMBps' | 'getMBps'): number | undefined => {
		const best = Math.max(...speeds.map((speed) => speed[figure]))
		return speeds.find((speed) => speed[figure] >= best * 0.9)?.inFlight
	}
	const putsInFlight = fewest('putMBps')
	const getsInFlight = fewest('getMBps')
	if (putsInFlight === undefined || getsInFlight === undefined) return undefined
	return { putsInFlight, getsInFlight }
}
