import type { ClaimReport } from '@ydbackup/driver-conformance'
import { withoutSecrets } from '../output/secrets.ts'
import type { ProgressOutput, ProgressStyle } from './progress-display.ts'

/** Between lines, as in the display of the other commands. */
const LINE_EVERY_MS = 5_000
const ERASE_LINE = '\r\u001b[K'

export interface ClaimProgress extends Disposable {
	readonly onProgress: (progress: {
		readonly claim: ClaimReport
		readonly done: number
		readonly total: number
	}) => void
}

/** Tells of claims while they are tried: a line that changes, a line every few seconds, or JSON. */
export function claimProgress(
	style: ProgressStyle,
	output: ProgressOutput,
	now: () => number = () => performance.now(),
): ClaimProgress {
	const shown = style === 'auto' ? (output.isTTY && process.env['TERM'] !== 'dumb' ? 'bar' : 'lines') : style
	let shownAt = now()
	return {
		onProgress({ claim, done, total }) {
			const text = withoutSecrets(`${done} of ${total}: ${claim.id} ${claim.outcome}`)
			if (shown === 'bar') output.write(ERASE_LINE + text.slice(0, (output.columns ?? 80) - 1))
			else if (shown === 'lines' && now() - shownAt >= LINE_EVERY_MS) {
				shownAt = now()
				output.write(`${text}\n`)
			}
			if (shown === 'json') {
				const { id, outcome, ms } = claim
				output.write(`${JSON.stringify({ ydbackup: 1, type: 'claim', id, outcome, ms, done, total })}\n`)
			}
		},
		[Symbol.dispose]() {
			if (shown === 'bar') output.write(ERASE_LINE)
		},
	}
}
