import type { S3ErrorCode } from './errors.ts'

/** What goes wrong. */
export type S3Failure =
	/** Answers with an error; the request has no effect. */
	| { readonly kind: 'error'; readonly code: S3ErrorCode; readonly retryAfterSeconds?: number }
	/** Does what is asked and answers 200 with the body of an error, as CompleteMultipartUpload may; without an effect. */
	| { readonly kind: 'error-in-200'; readonly code: S3ErrorCode }
	/** Resets the connection after so many bytes of the request's body; the request has no effect. */
	| { readonly kind: 'cut-request'; readonly afterBytes: number }
	/** Does what is asked and resets the connection after so many bytes of the answer's body. */
	| { readonly kind: 'cut-response'; readonly afterBytes: number }
	/** Does what is asked and resets the connection instead of answering. */
	| { readonly kind: 'lose-answer' }
	/** Answers with the first bytes of the body as if they were all of it. */
	| { readonly kind: 'truncate'; readonly toBytes: number }
	/** Sends the body up to a byte and then nothing more, on an open connection. */
	| { readonly kind: 'stall-response'; readonly afterBytes: number }
	/** Turns one bit of the answer's body. */
	| { readonly kind: 'flip'; readonly at: number }
	/** Never answers. */
	| { readonly kind: 'silent' }
	/** Drops request headers before the request is looked at, as a proxy does that signs anew. */
	| { readonly kind: 'strip'; readonly headers: readonly string[] }
	/** Waits before the request has its effect. */
	| { readonly kind: 'delay'; readonly milliseconds: number }

export type S3Fault = S3Failure & {
	/** Name of the operation in the S3 API; any when absent. */
	readonly operation?: string
	/** Only keys that contain this. */
	readonly key?: string
	/** Lets so many requests pass first; 0. */
	readonly skip?: number
	/** How many requests it meets; 1. */
	readonly times?: number
}

interface Planned {
	readonly fault: S3Fault
	skip: number
	left: number
}

/** Faults in the order in which they were planned; each request meets at most one. */
export class FaultPlan {
	readonly #planned: Planned[] = []

	add(fault: S3Fault): void {
		this.#planned.push({ fault, skip: fault.skip ?? 0, left: fault.times ?? 1 })
	}

	clear(): void {
		this.#planned.length = 0
	}

	/** The fault of a request, which is used up by it. */
	take(operation: string, key: string): S3Failure | undefined {
		for (const planned of this.#planned) {
			const { fault } = planned
			if (fault.operation !== undefined && fault.operation !== operation) continue
			if (planned.left === 0 || !key.includes(fault.key ?? '')) continue
			if (planned.skip > 0) {
				planned.skip--
				continue
			}
			planned.left--
			return fault
		}
		return undefined
	}
}
