import { writeSync } from 'node:fs'
import { Config } from '@oclif/core/config'
import type { PJSON } from '@oclif/core/interfaces'
import { BackupError, interruption, isBackupError } from '@ydbackup/core'
import { COMMAND_MODULES } from './commands/command-modules.ts'
import { DONE, exitCodeOf } from './exit/exit-codes.ts'
import { failureText } from './failure/failure-text.ts'
import { failureOf } from './failure/failure.ts'
import { envelopeOf, envelopeText } from './output/envelope.ts'
import { withoutSecrets } from './output/secrets.ts'
import { type CommandLine, readCommandLine, unknownCommand } from './run/command-line.ts'
import { tuneHeap } from './run/heap.ts'
import { watchSignals } from './run/interrupt.ts'

export interface MainOptions {
	/** Without the interpreter and the script. */
	readonly argv: readonly string[]
	/** The folder of this package. */
	readonly root: string
	/** Its package.json. */
	readonly pjson: PJSON
}

const COMMANDS = Object.keys(COMMAND_MODULES)

/** Runs one command line to its end. Never throws; resolves with the exit code when everything is printed. */
export async function main(options: MainOptions): Promise<number> {
	tuneHeap()
	const line = readCommandLine(options.argv, COMMANDS)
	const report = reporterOf(line)
	using interrupt = watchSignals({
		onFirst: (name) => writeSafely(2, `\n${name}: stopping in good order; send it again to stop at once\n`),
		onSecond: (name) => {
			report({
				failure: new BackupError('INTERRUPTED', `stopped at once by a second ${name}`, {
					advice: 'what was under way is left as it was; run the command again',
				}),
			})
			process.exit(exitCodeOf('interrupted'))
		},
	})
	const onUncaught = (error: unknown): void => {
		process.exit(report({ failure: failureOf(error, line.command) }))
	}
	process.on('uncaughtException', onUncaught).on('unhandledRejection', onUncaught)
	try {
		if (options.argv[0] === '--version') return version(options)
		if (!line.isJson && (line.wantsHelp || line.words.length === 0 || isTopic(line))) return await help(options)
		if (line.wantsHelp) return await help(options)
		return report(await run(line, options, interrupt.signal))
	} catch (error) {
		const isStopped = interrupt.signal.aborted && !isBackupError(error)
		const failure = isStopped
			? interruption(interrupt.signal, `running ${line.command}`)
			: failureOf(error, line.command)
		return report({ failure })
	} finally {
		process.off('uncaughtException', onUncaught).off('unhandledRejection', onUncaught)
	}
}

interface Outcome {
	readonly result?: unknown
	readonly failure?: BackupError | undefined
}

async function run(line: CommandLine, { root, pjson }: MainOptions, signal: AbortSignal): Promise<Outcome> {
	const load = COMMAND_MODULES[line.command]
	if (load === undefined) throw unknownCommand(line.words, COMMANDS)
	// Without its commands oclif does not load all of them to describe them; plug-ins are found as ever.
	const { commands: _, ...oclif } = pjson.oclif
	const [{ default: Class }, config] = await Promise.all([load(), Config.load({ root, pjson: { ...pjson, oclif } })])
	Class.id = line.command.replaceAll(' ', ':')
	const command = new Class([...line.rest], config)
	command.surroundings = { isJson: line.isJson, signal }
	const result = await command.run()
	return { result, failure: command.failure }
}

function version({ pjson }: MainOptions): number {
	writeSafely(1, `${pjson.name}/${pjson.version} ${process.platform}-${process.arch} node-${process.version}\n`)
	return DONE
}

async function help({ argv, root, pjson }: MainOptions): Promise<number> {
	const { loadHelpClass } = await import('@oclif/core/help')
	const config = await Config.load({ root, pjson })
	const Help = await loadHelpClass(config)
	await new Help(config, pjson.oclif.helpOptions).showHelp(
		argv.filter((word, at) => word !== '--help' && !(at === 0 && word === 'help')),
	)
	return DONE
}

const isTopic = ({ command, words }: CommandLine): boolean =>
	command === '' && words.length === 1 && COMMANDS.some((name) => name.startsWith(`${words[0]} `))

/** Prints an outcome, once, and tells the exit code. */
function reporterOf(line: CommandLine): (outcome: Outcome) => number {
	let isDone = false
	return ({ result, failure }) => {
		const code = failure === undefined ? DONE : exitCodeOf(failure.kind)
		if (isDone) return code
		isDone = true
		if (line.isJson) writeSafely(1, withoutSecrets(envelopeText(envelopeOf(line.command, { result, failure }))))
		const debug = line.wantsDebug || /^(1|true|yes)$/i.test(process.env['YDBACKUP_DEBUG'] ?? '')
		if (failure !== undefined && (!line.isJson || debug))
			writeSafely(2, withoutSecrets(failureText(failure, { debug })))
		return code
	}
}

/** Writes at once and whole; a reader that has gone away is not a failure of the command. */
function writeSafely(descriptor: 1 | 2, text: string): void {
	let bytes = Buffer.from(text)
	while (bytes.length > 0) {
		try {
			bytes = bytes.subarray(writeSync(descriptor, bytes))
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return
			Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
		}
	}
}
