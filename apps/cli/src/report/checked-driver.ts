import { BackupError } from '@ydbackup/core'
import type { ConformanceReport } from '@ydbackup/driver-conformance'

/** Exit 2 when the driver breaks the contract on this store, 8 when the credentials may not do everything, 9 when only the clean-up is wrong, 130 when the check was stopped. */
export function checkedFailure(report: ConformanceReport): BackupError | undefined {
	const { driver, location, claims, counts, cleanup, denied, isConforming, stopped } = report
	const [first] = claims.filter(({ outcome }) => outcome === 'failed')
	if (first) {
		const more = counts.failed === 1 ? '' : ` (and ${counts.failed - 1} more)`
		return new BackupError(
			'DRIVER_INVALID',
			`${driver?.name ?? 'the driver'} does not keep its contract at ${location}: ${first.id}: ${first.detail}${more}`,
			{ advice: 'keep no backups there before it does: tell the author of the driver, or of the store' },
		)
	}
	if (stopped !== undefined) return new BackupError('INTERRUPTED', `the check of ${location} was ${stopped}`)
	if (isConforming) return undefined
	if (denied !== undefined) {
		const left = cleanup.left.length > 0 ? `; ${cleanup.left[0]} is left there` : ''
		return new BackupError(
			'STORAGE_PERMISSION',
			`the check of ${location} proves little: the credentials may not ${Object.keys(denied).join(', ')}${left}`,
			{ advice: 'give the check credentials that may put, get, list and delete; backups themselves need fewer rights' },
		)
	}
	return new BackupError('PARTIAL', `the check of ${location} left ${cleanup.left.length} objects or more behind`, {
		advice: `remove what is below ${cleanup.left[0]?.split('/')[0]}/: it is not needed`,
	})
}
