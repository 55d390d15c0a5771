import { inspect } from 'node:util'
import type { BackupError } from '@ydbackup/core'
import { exitCodeOf } from '../exit/exit-codes.ts'
import { printable } from '../output/printable.ts'

/** What a person reads: what failed and on what, what to do, and the code to search for. A stack only on demand. */
export function failureText(failure: BackupError, options: { readonly debug?: boolean } = {}): string {
	const lines = [`error: ${printable(failure.message)}`]
	if (failure.advice !== undefined) lines.push(`advice: ${printable(failure.advice)}`)
	if (failure.retry !== 'no') lines.push(`retry: ${failure.retry === 'same' ? 'at once' : 'later'}`)
	const reason = failure.reason === undefined ? '' : `/${printable(failure.reason)}`
	lines.push(`code: ${failure.code}${reason} (exit ${exitCodeOf(failure.kind)})`)
	if (options.debug) lines.push('', inspect(failure, { depth: 6 }))
	return `${lines.join('\n')}\n`
}
