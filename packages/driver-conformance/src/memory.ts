import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { demand } from './expect.ts'

const MIB = 2 ** 20
const LOOK_MS = 20

/**
 * Demands that work on an object holds at most half of it, and at most 256 MiB: buffers alone, after a collection. The work calls
 * `look` between pieces.
 */
export async function heldMemory(
	what: string,
	objectBytes: number,
	work: (look: () => void) => Promise<void>,
): Promise<void> {
	setFlagsFromString('--expose-gc')
	const gc = runInNewContext('gc') as () => void
	const collect = (): void => {
		gc()
		// Buffers are freed beside the collection; the next one waits for that.
		gc()
	}
	collect()
	const before = process.memoryUsage().arrayBuffers
	const most = Math.min(256 * MIB, objectBytes / 2)
	let peak = 0
	let looked = 0
	const look = (): void => {
		// A collection takes milliseconds: it is worth it only where there is something to find.
		if (performance.now() - looked < LOOK_MS || process.memoryUsage().arrayBuffers - before < most) return
		collect()
		peak = Math.max(peak, process.memoryUsage().arrayBuffers - before)
		looked = performance.now()
	}
	const timer = setInterval(look, LOOK_MS)
	try {
		await work(look)
		look()
	} finally {
		clearInterval(timer)
	}
	demand(
		peak <= most,
		`a ${what} of ${Math.round(objectBytes / MIB)} MiB held ${Math.round(peak / MIB)} MiB in memory, and may hold ${Math.round(most / MIB)}`,
	)
}
