import { createInterface } from 'node:readline/promises'
import { BackupError } from '@ydbackup/core'

export interface Terminal {
	readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean | undefined }
	readonly output: NodeJS.WritableStream & { readonly isTTY?: boolean | undefined }
}

const OURS: Terminal = { input: process.stdin, output: process.stderr }

/** Errors: `CONFIG_INVALID` where nobody can be asked. */
export function assertCanAsk(doing: string, { input, output }: Terminal = OURS): void {
	if (input.isTTY === true && output.isTTY === true) return
	throw new BackupError('CONFIG_INVALID', `nobody can be asked whether to ${doing}: this is no terminal`, {
		advice: 'look with --dry-run, and give --yes',
	})
}

/** Goes on when the answer is yes. Errors: `INTERRUPTED` for every other answer, and for none. */
export async function confirm(question: string, signal: AbortSignal, terminal: Terminal = OURS): Promise<void> {
	const asking = createInterface({ ...terminal, terminal: false })
	const ended = new AbortController()
	asking.once('close', () => ended.abort())
	const stop = AbortSignal.any([signal, ended.signal])
	let answer = ''
	try {
		answer = await asking.question(`${question} [y/N] `, { signal: stop })
	} catch (error) {
		if (!stop.aborted) throw error
	} finally {
		asking.close()
	}
	if (/^(?:y|yes)$/iu.test(answer.trim())) return
	throw new BackupError('INTERRUPTED', 'it was not confirmed; nothing was changed')
}
