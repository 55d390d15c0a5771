import type { Faults } from '@ydbackup/emulator'
import { run } from './shell.ts'

async function patch(control: string, faults: object): Promise<void> {
	const body = JSON.stringify(faults)
	const answer = await fetch(new URL('/faults', control), {
		method: 'PATCH',
		body,
		signal: AbortSignal.timeout(10_000),
	})
	if (!answer.ok) throw new Error(`the emulator refuses ${body}: ${await answer.text()}`)
}

/** `run` under faults of the emulator whose control endpoint is given. They are off between commands: the readers that compare try nothing again. */
export function troubled(control: string, faults: Partial<Faults>): typeof run {
	const names = Object.keys(faults)
	if (names.length === 0) return run
	const calm = Object.fromEntries(names.map((name) => [name, null]))
	return async (words, options) => {
		await patch(control, faults)
		try {
			return await run(words, options)
		} finally {
			await patch(control, calm)
		}
	}
}
