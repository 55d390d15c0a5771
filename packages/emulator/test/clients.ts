import { createRequire } from 'node:module'
import type * as Sdk from 'ydb-sdk'
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import { AuthServiceDefinition, LoginResultSchema } from '@ydbjs/api/auth'
import type { CredentialsProvider } from '@ydbjs/auth'
import { AccessTokenCredentialsProvider } from '@ydbjs/auth/access-token'
import { Driver } from '@ydbjs/core'
import { QueryServiceDefinition, Syntax, ExecMode } from '@ydbjs/api/query'
import type { ResultSet, TypedValue } from '@ydbjs/api/value'
import type { Emulator } from '@ydbackup/emulator'

/** The official client of the generation before: CommonJS, its own protobuf and transport. */
export const sdk: typeof Sdk = createRequire(import.meta.url)('ydb-sdk') as typeof Sdk

export async function withSdk<T>(
	emulator: Emulator,
	work: (driver: Sdk.Driver) => Promise<T>,
	authService: Sdk.IAuthService = new sdk.AnonymousAuthService(),
): Promise<T> {
	const logger = new sdk.SimpleLogger({ envKey: 'YDB_SDK_LOG', level: 'error' as never })
	const endpoint = `grpc://127.0.0.1:${emulator.port}`
	const driver = new sdk.Driver({ endpoint, database: emulator.database, authService, logger })
	try {
		if (!(await driver.ready(10_000))) throw new Error('ydb-sdk found no database')
		return await work(driver)
	} finally {
		await driver.destroy()
	}
}

export interface Answer {
	readonly status: number
	readonly message: string
	readonly sets: ResultSet[]
	readonly parts: number
	readonly txId: string
	/** Whether the outermost issue is that of type annotation. */
	readonly typed: boolean
	/** The innermost issue. */
	readonly issue: { readonly message: string; readonly code: number; readonly row: number; readonly column: number }
}

type TxControl = { begin?: boolean; commit?: boolean; id?: string } | undefined

interface IssueLike {
	readonly message: string
	readonly issueCode: number
	readonly position?: { readonly row: number; readonly column: number }
	readonly issues: readonly IssueLike[]
}

function innermost(issue: IssueLike | undefined): Answer['issue'] {
	if (issue?.issues[0]) return innermost(issue.issues[0])
	const { row = 0, column = 0 } = issue?.position ?? {}
	return { message: issue?.message ?? '', code: issue?.issueCode ?? 0, row, column }
}

/** What a user who logged in sends along. */
export async function credentials(emulator: Emulator, user: string, password = 'x'): Promise<CredentialsProvider> {
	const driver = new Driver(emulator.connectionString, { 'ydb.sdk.enable_discovery': false })
	const { operation } = await driver.createClient(AuthServiceDefinition).login({ user, password })
	driver.close()
	if (operation?.status !== 400000) throw new Error(`${operation?.status} ${operation?.issues[0]?.message}`)
	return new AccessTokenCredentialsProvider({ token: anyUnpack(operation.result!, LoginResultSchema)!.token })
}

/** A session of the query service, through the official `@ydbjs` transport. */
export class Client implements AsyncDisposable {
	readonly driver: Driver
	readonly #detach = new AbortController()
	sessionId = ''

	private constructor(driver: Driver) {
		this.driver = driver
	}

	static async open(emulator: Emulator, credentialsProvider?: CredentialsProvider): Promise<Client> {
		const driver = new Driver(emulator.connectionString, {
			'ydb.sdk.enable_discovery': false,
			...(credentialsProvider && { credentialsProvider }),
		})
		await driver.ready()
		const client = new Client(driver)
		await client.attach()
		return client
	}

	get service(): ReturnType<typeof this.driver.createClient<typeof QueryServiceDefinition>> {
		return this.driver.createClient(QueryServiceDefinition)
	}

	async attach(): Promise<void> {
		const { sessionId } = await this.service.createSession({})
		this.sessionId = sessionId
		const states = this.service.attachSession({ sessionId }, { signal: this.#detach.signal })[Symbol.asyncIterator]()
		await states.next()
		states.next().catch(() => {})
	}

	async query(
		text: string,
		parameters: Record<string, TypedValue> = {},
		tx?: TxControl,
		sessionId = this.sessionId,
	): Promise<Answer> {
		const request = {
			sessionId,
			execMode: ExecMode.EXECUTE,
			query: { case: 'queryContent' as const, value: { syntax: Syntax.YQL_V1, text } },
			parameters,
			...(tx && {
				txControl: {
					commitTx: tx.commit ?? false,
					txSelector:
						tx.id === undefined
							? {
									case: 'beginTx' as const,
									value: { txMode: { case: 'serializableReadWrite' as const, value: {} } },
								}
							: { case: 'txId' as const, value: tx.id },
				},
			}),
		}
		const sets: ResultSet[] = []
		let status = 0
		let parts = 0
		let txId = ''
		let issue: IssueLike | undefined
		for await (const part of this.service.executeQuery(request)) {
			parts++
			status = part.status
			issue ??= part.issues[0]
			txId ||= part.txMeta?.id ?? ''
			const index = Number(part.resultSetIndex)
			if (!part.resultSet) continue
			if (sets[index]) sets[index].rows.push(...part.resultSet.rows)
			else sets[index] = part.resultSet
		}
		const inner = innermost(issue)
		return { status, message: inner.message, sets, parts, txId, typed: issue?.issueCode === 1030, issue: inner }
	}

	/** Rows of the first result as plain values; fails when the query does. */
	async rows(text: string, parameters: Record<string, TypedValue> = {}): Promise<unknown[][]> {
		const answer = await this.query(text, parameters)
		if (answer.status !== 400000) throw new Error(`${answer.status} ${answer.message}`)
		return (answer.sets[0]?.rows ?? []).map(({ items }) =>
			items.map(({ value }) => (value.case === 'nullFlagValue' ? null : plain(value.value))),
		)
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.service.deleteSession({ sessionId: this.sessionId }).catch(() => {})
		this.#detach.abort()
		this.driver.close()
	}
}

function plain(value: unknown): unknown {
	if (value instanceof Uint8Array) return Buffer.from(value).toString()
	return typeof value === 'bigint' ? Number(value) : value
}
