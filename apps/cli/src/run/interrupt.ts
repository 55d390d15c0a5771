const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

export interface Interrupt extends Disposable {
	readonly signal: AbortSignal
}

export interface InterruptOptions {
	/** The first signal has come: the work is asked to stop in good order. */
	readonly onFirst: (name: NodeJS.Signals) => void
	/** A second one has come: stop at once. */
	readonly onSecond: (name: NodeJS.Signals) => void
}

/** Turns the first of SIGINT, SIGTERM and SIGHUP into an abort. */
export function watchSignals({ onFirst, onSecond }: InterruptOptions): Interrupt {
	const controller = new AbortController()
	const onSignal = (name: NodeJS.Signals): void => {
		if (controller.signal.aborted) {
			onSecond(name)
			return
		}
		onFirst(name)
		controller.abort(new Error(`received ${name}`))
	}
	for (const name of SIGNALS) process.on(name, onSignal)
	return {
		signal: controller.signal,
		[Symbol.dispose]() {
			for (const name of SIGNALS) process.off(name, onSignal)
		},
	}
}
