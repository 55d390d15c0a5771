import { readFileSync } from 'node:fs'

/** What one piece of work cost this process. */
export interface Cost {
	/** CPU seconds, user and system, of all threads. */
	readonly cpu: number
	/** Seconds. */
	readonly wall: number
}

export async function measure(work: () => unknown): Promise<Cost> {
	const started = performance.now()
	const before = process.cpuUsage()
	await work()
	const { user, system } = process.cpuUsage(before)
	return { cpu: (user + system) / 1e6, wall: (performance.now() - started) / 1000 }
}

export function median(values: readonly number[]): number {
	const sorted = values.toSorted((a, b) => a - b)
	const middle = sorted.length >> 1
	return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export function mean(values: readonly number[]): number {
	return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** Of the mean; 0 for a single value. */
export function standardError(values: readonly number[]): number {
	const middle = mean(values)
	const squares = values.reduce((sum, value) => sum + (value - middle) ** 2, 0)
	return values.length < 2 ? 0 : Math.sqrt(squares / (values.length - 1) / values.length)
}

/** Largest resident size of this process so far, in MiB. Linux counts the size of the parent at its start into the one that getrusage tells. */
export function peakRssMiB(): number {
	try {
		return Number(/^VmHWM:\s*(\d+)/mu.exec(readFileSync('/proc/self/status', 'utf8'))![1]) / 1024
	} catch {
		return process.resourceUsage().maxRSS / 1024
	}
}
