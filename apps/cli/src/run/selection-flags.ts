import * as Flags from '@oclif/core/flags'

/** Which objects are meant. */
export const patternFlags = {
	include: Flags.string({
		multiple: true,
		multipleNonGreedy: true,
		description: 'take only paths that match; * within a name, ** across names; may be given more than once',
	}),
	exclude: Flags.string({
		multiple: true,
		multipleNonGreedy: true,
		description: 'leave out paths that match; may be given more than once',
	}),
}

export const concurrencyFlag = (description: string) => Flags.integer({ min: 1, max: 64, helpValue: 'N', description })
