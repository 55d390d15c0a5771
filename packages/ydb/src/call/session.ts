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

export interface Session {
	readonly sessionId: string
	/** Nobody waits for it: the server ends sessions whose stream is gone. */
	close(): void
}

/** A session of the query service, created and attached. Every step is bounded. */
export async function openSession(driver: Driver, doing: string, signal: AbortSignal | undefined): Promise<Session> {
	const client = driver.createClient(SessionService)
	const { status, issues, sessionId } = await bounded(signal, OPEN_MS, (bound) =>
		client.createSession({}, { signal: bound }),
	)
	if (status !== SUCCESS) throw refusalError({ status, issues }, doing)
	// The session lives while this stream is open.
	const detach = new AbortController()
	const states = client.attachSession({ sessionId }, { signal: detach.signal })[Symbol.asyncIterator]()
	const close = (): void =>
		void bounded(undefined, CLOSE_MS, (bound) => client.deleteSession({ sessionId }, { signal: bound }))
			.catch(() => {})
			.finally(() => {
				detach.abort()
				return states.next().catch(() => {})
			})
	try {
		await bounded(signal, OPEN_MS, async (bound) => {
			bound.addEventListener('abort', () => detach.abort(bound.reason), { once: true })
			const { value: state } = await states.next()
			if (state && state.status !== SUCCESS) throw refusalError({ status: state.status, issues: state.issues }, doing)
		})
		return { sessionId, close }
	} catch (error) {
		close()
		throw error
	}
}

/** A session for one statement: opened, used, deleted. */
export async function withSession<T>(
	driver: Driver,
	doing: string,
	signal: AbortSignal | undefined,
	work: (sessionId: string) => Promise<T>,
): Promise<T> {
	const session = await openSession(driver, doing, signal)
	try {
		return await work(session.sessionId)
	} finally {
		session.close()
	}
}
