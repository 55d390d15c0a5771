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

/** Largest resident size of this process so far, in MiB. */
export function peakRssMiB(): number {
	return process.resourceUsage().maxRSS / 1024
}
