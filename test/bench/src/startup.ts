import { spawnSync } from 'node:child_process'
import { median } from './measure.ts'

/** Median wall seconds of a command, in rounds with the others, so that all see the same machine. */
export function timeCommands(
	commands: Readonly<Record<string, readonly string[]>>,
	rounds: number,
): Record<string, number> {
	const times: Record<string, number[]> = {}
	for (let round = 0; round < rounds; round++) {
		for (const [name, [file, ...words]] of Object.entries(commands)) {
			const started = performance.now()
			const { status, stderr } = spawnSync(file!, words, { encoding: 'utf8', timeout: 60_000 })
			if (status !== 0) throw new Error(`${[file, ...words].join(' ')} exited with ${status}: ${stderr}`)
			;(times[name] ??= []).push((performance.now() - started) / 1000)
		}
	}
	return Object.fromEntries(Object.entries(times).map(([name, values]) => [name, median(values)]))
}
