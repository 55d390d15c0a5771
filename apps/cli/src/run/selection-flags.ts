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

/** Which kinds of objects are meant. */
export const kindFlags = {
	kind: Flags.string({
		multiple: true,
		multipleNonGreedy: true,
		delimiter: ',',
		helpValue: 'KIND',
		description:
			'take only objects of this kind: table, directory, changefeed, view, topic, coordination-node, external-data-source, external-table, replication, transfer; may be given more than once, or with commas',
	}),
	'exclude-kind': Flags.string({
		multiple: true,
		multipleNonGreedy: true,
		delimiter: ',',
		helpValue: 'KIND',
		description: 'leave out objects of this kind; may be given more than once, or with commas',
	}),
}

export const concurrencyFlag = (description: string) => Flags.integer({ min: 1, max: 64, helpValue: 'N', description })
