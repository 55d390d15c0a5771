import { randomUUID } from 'node:crypto'
import { YdbError } from '../error.ts'
import type { SchemeTree } from '../scheme/tree.ts'
import { Transaction } from '../store/transaction.ts'

/** A session of the table or query service: both services share one kind, as in YDB. */
export class Session {
	readonly id: string
	readonly transactions: Map<string, Transaction> = new Map()
	readonly #ended = new AbortController()
	attached = false
	busy = false

	constructor(id: string) {
		this.id = id
	}

	/** Aborts when the session is deleted. */
	get ended(): AbortSignal {
		return this.#ended.signal
	}

	end(): void {
		this.transactions.clear()
		this.#ended.abort()
	}
}

export const NODE_ID = 1
/** As YDB limits them for a session. Source: YDB's documentation of limits. */
const MOST_TRANSACTIONS = 10

export class Sessions {
	readonly #tree: SchemeTree
	readonly #sessions = new Map<string, Session>()

	constructor(tree: SchemeTree) {
		this.#tree = tree
	}

	create(): Session {
		const session = new Session(`ydb://session/3?node_id=${NODE_ID}&id=${randomUUID()}`)
		this.#sessions.set(session.id, session)
		return session
	}

	get(id: string): Session {
		if (id === '') throw new YdbError('BAD_REQUEST', 'Empty session id')
		const session = this.#sessions.get(id)
		if (!session) throw new YdbError('BAD_SESSION', `Session not found: ${id}`, 2015)
		return session
	}

	delete(id: string): void {
		const session = this.get(id)
		this.#sessions.delete(id)
		session.end()
	}

	/** The client that held the session is gone. */
	abandon(session: Session): void {
		if (this.#sessions.delete(session.id)) session.end()
	}

	/** Every open transaction. */
	*transactions(): Generator<Transaction> {
		for (const { transactions } of this.#sessions.values()) yield* transactions.values()
	}

	begin(session: Session, readOnly = false): string {
		if (session.transactions.size >= MOST_TRANSACTIONS) throw new YdbError('BAD_SESSION', 'Too many transactions', 2027)
		const id = randomUUID().replaceAll('-', '')
		session.transactions.set(id, new Transaction(this.#tree, readOnly))
		return id
	}

	transaction(session: Session, id: string): Transaction {
		const transaction = session.transactions.get(id)
		if (!transaction) throw new YdbError('NOT_FOUND', `Transaction not found: ${id}`, 2015)
		return transaction
	}

	/** Runs one thing in a session at a time. */
	async exclusively<T>(session: Session | undefined, work: () => Promise<T>): Promise<T> {
		if (session?.busy) throw new YdbError('SESSION_BUSY', 'Pending previous query completion')
		if (session) session.busy = true
		try {
			return await work()
		} finally {
			if (session) session.busy = false
		}
	}
}
