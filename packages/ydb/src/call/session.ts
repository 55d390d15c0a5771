import { QueryServiceDefinition } from '@ydbjs/api/query'
import type { Driver } from '@ydbjs/core'
import { bounded } from './bounded.ts'
import { refusalError, SUCCESS } from './failure.ts'

const OPEN_MS = 15_000
const CLOSE_MS = 5_000

const SessionService: {
	readonly createSession: (typeof QueryServiceDefinition)['createSession']
	readonly deleteSession: (typeof QueryServiceDefinition)['deleteSession']
	readonly attachSession: (typeof QueryServiceDefinition)['attachSession']
} = {
	createSession: QueryServiceDefinition.createSession,
	deleteSession: QueryServiceDefinition.deleteSession,
	attachSession: QueryServiceDefinition.attachSession,
}

/** A session of the query service for one statement: created, attached, used, deleted. Every step is bounded. */
export async function withSession<T>(
	driver: Driver,
	doing: string,
	signal: AbortSignal | undefined,
	work: (sessionId: string) => Promise<T>,
): Promise<T> {
	const client = driver.createClient(SessionService)
	const { status, issues, sessionId } = await bounded(signal, OPEN_MS, (bound) =>
		client.createSession({}, { signal: bound }),
	)
	if (status !== SUCCESS) throw refusalError({ status, issues }, doing)
	// The session lives while this stream is open.
	const detach = new AbortController()
	const states = client.attachSession({ sessionId }, { signal: detach.signal })[Symbol.asyncIterator]()
	try {
		await bounded(signal, OPEN_MS, async (bound) => {
			bound.addEventListener('abort', () => detach.abort(bound.reason), { once: true })
			const { value: state } = await states.next()
			if (state && state.status !== SUCCESS) throw refusalError({ status: state.status, issues: state.issues }, doing)
		})
		return await work(sessionId)
	} finally {
		// Nobody waits for it: the server ends sessions whose stream is gone.
		void bounded(undefined, CLOSE_MS, (bound) => client.deleteSession({ sessionId }, { signal: bound }))
			.catch(() => {})
			.finally(() => {
				detach.abort()
				return states.next().catch(() => {})
			})
	}
}
