import { setTimeout as sleep } from 'node:timers/promises'
import { StaticCredentialsProvider } from '@ydbjs/auth/static'
import { Driver } from '@ydbjs/core'
import { ExecMode, QueryServiceDefinition, Syntax } from '@ydbjs/api/query'

const SUCCESS = 400_000
const BAD_SESSION = 400_100

/** Queries of a user of the database, through the official client's transport. */
export interface Queries extends AsyncDisposable {
	/** The rows of the first result; numbers, texts and bytes as they came. Fails when the query does. */
	run(text: string): Promise<unknown[][]>
}

export function openQueries(endpoint: string, database: string): Promise<Queries> {
	return open(new Driver(`${endpoint}${database}`, { 'ydb.sdk.enable_discovery': false }))
}

/** The same as a user who logs in. */
export function openQueriesAs(
	endpoint: string,
	database: string,
	{ user, password }: { readonly user: string; readonly password: string },
): Promise<Queries> {
	const credentialsProvider = new StaticCredentialsProvider({ username: user, password }, endpoint)
	return open(new Driver(`${endpoint}${database}`, { 'ydb.sdk.enable_discovery': false, credentialsProvider }))
}

async function open(driver: Driver): Promise<Queries> {
	await driver.ready(AbortSignal.timeout(10_000))
	const service = driver.createClient(QueryServiceDefinition)
	let session = await openSession()

	async function openSession(): Promise<{ readonly id: string; readonly detach: AbortController }> {
		const { sessionId: id } = await service.createSession({})
		const detach = new AbortController()
		const states = service.attachSession({ sessionId: id }, { signal: detach.signal })[Symbol.asyncIterator]()
		await states.next()
		states.next().catch(() => {})
		return { id, detach }
	}

	/** A node that restarts takes no connection for a moment; nothing was sent to it. */
	async function patiently(text: string): Promise<unknown[][] | 'no session'> {
		for (let tries = 20; ; tries--) {
			try {
				return await attempt(text)
			} catch (error) {
				if (tries === 0 || !String(error).includes('ECONNREFUSED')) throw error
				await sleep(25)
			}
		}
	}

	async function attempt(text: string): Promise<unknown[][] | 'no session'> {
		const query = { case: 'queryContent' as const, value: { syntax: Syntax.YQL_V1, text } }
		const rows: unknown[][] = []
		for await (const part of service.executeQuery({ sessionId: session.id, execMode: ExecMode.EXECUTE, query })) {
			if (part.status === BAD_SESSION) return 'no session'
			if (part.status !== SUCCESS) throw new Error(`${part.status} ${JSON.stringify(part.issues)} ${text}`)
			for (const { items } of part.resultSet?.rows ?? []) rows.push(items.map(({ value }) => value.value))
		}
		return rows
	}

	return {
		async run(text) {
			const rows = await patiently(text)
			if (rows !== 'no session') return rows
			// It has ended in the meantime, as sessions do.
			session.detach.abort()
			session = await openSession()
			const again = await patiently(text)
			if (again === 'no session') throw new Error(`a session ended at once: ${text}`)
			return again
		},
		async [Symbol.asyncDispose]() {
			session.detach.abort()
			driver.close()
		},
	}
}
