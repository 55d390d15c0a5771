import { stripVTControlCharacters } from 'node:util'
import { BackupError } from '@ydbackup/core'
import { nearestOf } from '@ydbackup/core/driver-kit'

/** What oclif's parser throws. Told apart by the name of its class: the classes are not part of oclif's exports. */
interface ParseError extends Error {
	readonly oclif: { readonly exit?: number }
	/** Flags that do not exist, or arguments that are missing or too many. */
	readonly flags?: readonly string[]
	readonly args?: readonly (string | { readonly name: string })[]
	readonly parse?: { readonly input?: { readonly flags?: Readonly<Record<string, unknown>> } }
}

/** Whether an error says that what was typed cannot be parsed. */
export function isParseError(error: Error): error is ParseError {
	return 'oclif' in error && error.constructor.name !== 'ModuleLoadError'
}

/** The same in the words of this tool. */
export function parseFailure(error: ParseError, command: string): BackupError {
	const advice = `see ${['ydbackup', command, '--help'].filter(Boolean).join(' ')}`
	const names = (error.args ?? []).map((arg) => (typeof arg === 'string' ? arg : arg.name))
	switch (error.constructor.name) {
		case 'NonExistentFlagsError': {
			const flags = error.flags ?? []
			const known = Object.keys(error.parse?.input?.flags ?? {}).map((name) => `--${name}`)
			const near = nearestOf(flags[0]?.replace(/=.*$/s, '') ?? '', known)
			// What stands behind an equals sign may be a secret that was given to a flag that does not exist.
			const shown = flags.map((flag) => flag.replace(/=.*$/s, '')).join(', ')
			const hint = near === undefined ? advice : `did you mean ${near}? ${advice}`
			return refuse(`there is no flag ${shown} here`, hint)
		}
		case 'RequiredArgsError':
			return refuse(`the argument ${names.join(', ').toUpperCase()} is missing`, advice)
		case 'UnexpectedArgsError':
			return refuse(`there is no place for ${names.map((name) => JSON.stringify(name)).join(', ')}`, advice)
		default:
			return refuse(tidy(error.message), advice)
	}
}

function tidy(message: string): string {
	return stripVTControlCharacters(message)
		.replaceAll('\nSee more help with --help', '')
		.replace(/^The following errors? occurred:\s*/, '')
		.replace(/^Parsing (--[\w-]+)\s+/, '$1: ')
		.replaceAll(/(--[\w-]+)=true\b/g, '$1')
		.replaceAll(/\s*\n\s*/g, '; ')
		.trim()
}

/** Without oclif's own error as the cause: it holds all that was typed, which may be a secret in the wrong place. */
function refuse(message: string, advice: string): BackupError {
	return new BackupError('CONFIG_INVALID', message, { advice })
}
