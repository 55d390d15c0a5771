import { Command } from '@oclif/core/command'
import type { BackupError } from '@ydbackup/core'
import type { EngineEvent } from '@ydbackup/engine'
import { outputFlags } from './output/output-flags.ts'
import { withoutSecrets } from './output/secrets.ts'
import { ProgressDisplay, type ProgressStyle } from './progress/progress-display.ts'

/** What a command needs of the process around it. */
export interface Surroundings {
	readonly isJson: boolean
	/** Aborted by the first Ctrl-C. */
	readonly signal: AbortSignal
}

/** A long piece of work that can be stopped and that shows how far it is. */
export interface Work extends Disposable {
	readonly signal: AbortSignal
	readonly onEvent: (event: EngineEvent) => void
	/** The work has succeeded. */
	complete(): void
}

/**
 * The frame of every command. `run` parses, calls the engine, shows the result to people with {@link show} and returns it;
 * whoever started the command prints the JSON envelope and turns errors into exit codes.
 */
export abstract class YdbackupCommand extends Command {
	static override baseFlags = outputFlags

	surroundings: Surroundings = { isJson: false, signal: new AbortController().signal }
	/** Set where the result itself says that something is wrong: it is shown beside the result and decides the exit code. */
	failure: BackupError | undefined

	abstract override run(): Promise<object>

	get signal(): AbortSignal {
		return this.surroundings.signal
	}

	get tool(): { name: string; version: string } {
		return { name: this.config.bin, version: this.config.version }
	}

	protected show(flags: { readonly quiet: boolean }, text: string): void {
		if (this.surroundings.isJson || flags.quiet || text === '') return
		process.stdout.write(withoutSecrets(`${text}\n`))
	}

	protected startWork(flags: { readonly quiet: boolean; readonly progress: ProgressStyle }): Work {
		const display = new ProgressDisplay({ style: flags.quiet ? 'none' : flags.progress, output: process.stderr })
		return {
			signal: this.signal,
			onEvent: display.onEvent,
			complete: () => display.complete(),
			[Symbol.dispose]: () => display[Symbol.dispose](),
		}
	}
}
