import { type Emit, EVENT_VERSION, type EventHandler, type PhaseName } from './event.ts'

/** Speaks to the caller of a run and remembers the warnings for its result. */
export interface Reporter {
	readonly emit: Emit
	readonly warnings: readonly Warning[]
	phase(name: PhaseName, text: string): void
	warn(message: string, path?: string): void
	retry(what: string, reason: unknown): void
}

export interface Warning {
	readonly message: string
	/** An object of the database, relative to it. */
	readonly path?: string | undefined
}

export function createReporter(onEvent: EventHandler | undefined): Reporter {
	const warnings: Warning[] = []
	const emit: Emit = (body) => onEvent?.({ version: EVENT_VERSION, ...body })
	return {
		emit,
		warnings,
		phase: (name, text) => emit({ type: 'phase', name, text }),
		warn(message, path) {
			const warning = path === undefined ? { message } : { message, path }
			warnings.push(warning)
			emit({ type: 'warning', ...warning })
		},
		retry: (what, reason) => emit({ type: 'retry', what, reason: reasonText(reason) }),
	}
}

/** What an error says, in one line. */
export function reasonText(reason: unknown): string {
	return reason instanceof Error ? reason.message : String(reason)
}
