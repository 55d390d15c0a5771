import { BackupError } from '@ydbackup/core'
import { nearestOf } from '@ydbackup/core/driver-kit'

export interface CommandLine {
	/** Words of the command that was recognised, `backup create`; empty when none was. */
	readonly command: string
	/** What is left for the command. */
	readonly rest: readonly string[]
	readonly isJson: boolean
	readonly wantsHelp: boolean
	readonly wantsDebug: boolean
	/** The words before the first flag, for messages. */
	readonly words: readonly string[]
}

/** Finds the command in what was typed. Flags follow the command. */
export function readCommandLine(argv: readonly string[], commands: readonly string[]): CommandLine {
	const end = argv.indexOf('--')
	const flags = end === -1 ? argv : argv.slice(0, end)
	const at = argv.findIndex((word) => word.startsWith('-'))
	let words = at === -1 ? [...argv] : argv.slice(0, at)
	const isHelp = words[0] === 'help'
	if (isHelp) words = words.slice(1)
	const command = [words.slice(0, 2).join(' '), words[0] ?? ''].find((name) => commands.includes(name)) ?? ''
	const length = command === '' ? 0 : command.split(' ').length
	return {
		command,
		rest: argv.slice(length),
		isJson: flags.includes('--json'),
		wantsHelp: isHelp || flags.includes('--help'),
		wantsDebug: flags.includes('--debug'),
		words,
	}
}

/** The error for words that are no command, with the nearest one. */
export function unknownCommand(words: readonly string[], commands: readonly string[]): BackupError {
	const typed = words.slice(0, 2).join(' ')
	if (typed === '') return new BackupError('CONFIG_INVALID', 'no command is given', { advice: 'see ydbackup --help' })
	const below = commands.filter((name) => name.startsWith(`${words[0]} `))
	const near = nearestOf(typed, commands) ?? (below.length > 0 ? undefined : nearestOf(words[0] ?? '', commands))
	return new BackupError('CONFIG_INVALID', `there is no command "${typed}"`, {
		advice:
			near !== undefined
				? `did you mean "ydbackup ${near}"?`
				: below.length > 0
					? `there are: ${below.join(', ')}`
					: 'see ydbackup --help',
	})
}
