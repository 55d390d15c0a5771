import * as Flags from '@oclif/core/flags'

export const streamHoursFlag = Flags.integer({
	min: 1,
	max: 24 * 365,
	default: 24,
	helpValue: 'HOURS',
	description: 'for how long the cluster keeps the changes behind an increment; an older chain takes none',
})
