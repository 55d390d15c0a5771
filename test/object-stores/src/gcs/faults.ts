/** What a request is for. */
export type Operation =
	| 'token'
	| 'bucket'
	| 'permissions'
	| 'list'
	| 'stat'
	| 'read'
	| 'delete'
	| 'patch'
	| 'upload'
	| 'start'
	| 'chunk'
	| 'status'
	| 'cancel'

/** One misfortune. Bytes are those of the body. */
export type Fault =
	/** Answers with this instead of doing anything. */
	| { readonly status: number; readonly reason?: string; readonly message?: string; readonly retryAfter?: string }
	/** Resets the connection when so many bytes of the request have arrived. */
	| { readonly cutRequestAfter: number }
	/** Resets the connection when so many bytes of the answer were sent. */
	| { readonly cutResponseAfter: number }
	/** Does what is asked for and resets the connection instead of answering. */
	| { readonly loseAnswer: true }
	/** Answers with a shorter body and says that this is all. */
	| { readonly truncateTo: number }
	/** Inverts one byte of the answer. */
	| { readonly flipByteAt: number }
	/** Reads the request and never answers. */
	| { readonly hang: true }
	/** Answers, but only after so many milliseconds. */
	| { readonly delayMs: number }
	/** An upload session takes only the first so many bytes of this chunk, and says so. */
	| { readonly persistOnly: number }

export interface FaultPlan {
	readonly on: Operation
	readonly fault: Fault
	/** Requests of the operation that pass before; none by default. */
	readonly skip?: number
	/** Requests that it meets; one by default. */
	readonly times?: number
}

/** The faults that are still to come. */
export class Faults {
	#plans: { on: Operation; fault: Fault; skip: number; times: number }[] = []

	add({ on, fault, skip = 0, times = 1 }: FaultPlan): void {
		this.#plans.push({ on, fault, skip, times })
	}

	clear(): void {
		this.#plans = []
	}

	/** The fault that a request meets, which is used up by it. */
	next(operation: Operation): Fault | undefined {
		for (const plan of this.#plans) {
			if (plan.on !== operation || plan.times === 0) continue
			if (plan.skip-- > 0) continue
			plan.times--
			return plan.fault
		}
		return undefined
	}
}
