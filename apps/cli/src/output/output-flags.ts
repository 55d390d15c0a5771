import * as Flags from '@oclif/core/flags'
import { PROGRESS_STYLES } from '../progress/progress-display.ts'

const HELP = 'OUTPUT'

export const outputFlags = {
	json: Flags.boolean({ description: 'print exactly one JSON document on stdout', helpGroup: HELP }),
	quiet: Flags.boolean({ char: 'q', description: 'print errors and warnings only', helpGroup: HELP }),
	progress: Flags.option({
		options: PROGRESS_STYLES,
		default: 'auto' as const,
		description: 'how to show progress on stderr; auto is a bar on a terminal and a line every few seconds elsewhere',
		helpGroup: HELP,
	})(),
	debug: Flags.boolean({
		description: 'print stacks and causes of errors [env: YDBACKUP_DEBUG]',
		helpGroup: HELP,
	}),
}
