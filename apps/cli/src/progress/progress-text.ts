import { spellBytes, spellCount, spellDuration, spellRate } from '../output/quantity.ts'
import { printable } from '../output/printable.ts'
import type { Progress } from './progress-meter.ts'

/** One line: phase, rows, bytes, MB/s, percent and remaining time, as far as they are known. */
export function progressText(progress: Progress): string {
	const { phase, text, rows, bytes, bytesPerSecond, percent, remainingMs, tablesDone, tablesTotal, retries } = progress
	const parts = [printable(text || phase || 'starting')]
	if (rows > 0 || tablesTotal > 0) {
		parts.push(`${spellCount(rows)} rows`, spellBytes(bytes), spellRate(bytesPerSecond))
		if (percent !== undefined) parts.push(`${Math.floor(percent)}%`)
		if (remainingMs !== undefined && remainingMs > 0) parts.push(`ETA ${spellDuration(remainingMs)}`)
		if (tablesTotal > 0) parts.push(`${tablesDone}/${tablesTotal} tables`)
	}
	if (retries > 0) parts.push(`${spellCount(retries)} retries`)
	return parts.join('  ')
}
