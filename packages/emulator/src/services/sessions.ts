import { randomUUID } from 'node:crypto'
import { YdbError } from '../error.ts'
import type { SchemeTree } from '../scheme/tree.ts'
import { Transaction } from '../store/transaction.ts'

/** A session of the table or query service: both services share one kind, as in YDB. */
export class Session {
	readonly id: string
	readonly nodeId: number
	readonly transactions: Map<string, Transaction> = new Map()
	readonly #ended = new AbortController()
	attached = false
	busy = false

	constructor(id: string, nodeId: number) {
		this.id = id
		this.nodeId = nodeId
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

export class Sessions {
	readonly #tree: SchemeTree
	readonly #sessions = new Map<string, Session>()

	constructor(tree: SchemeTree) {
		this.#tree = tree
	}

	create(nodeId: number): Session {
		const onNode = this.#sessions.values().reduce((sum, each) => sum + (each.nodeId === nodeId ? 1 : 0), 0)
		if (onNode >= this.#tree.limits.sessionsOfNode) throw new YdbError('OVERLOADED', 'Active sessions limit exceeded')
		const session = new Session(`ydb://session/3?node_id=${nodeId}&id=${randomUUID()}`, nodeId)
		this.#sessions.set(session.id, session)
		return session
	}

	get(id: string): Session {
		if (id === '') throw new YdbError('BAD_REQUEST', 'Empty session id')
		const session = this.#sessions.get(id)
		if (!session) throw new YdbError('BAD_SESSION', `Session not found: ${id}`, 2015)
		return session
	}

	/** A session that is not there is deleted too: YDB answers without a look. Source: ydb/core/grpc_services/rpc_delete_session.cpp. */
	delete(id: string): void {
		if (id === '') throw new YdbError('BAD_REQUEST', 'Empty session id')
		const session = this.#sessions.get(id)
		if (session) this.abandon(session)
	}

	/** The client that held the session is gone. */
	abandon(session: Session): void {
		if (this.#sessions.delete(session.id)) session.end()
	}

	/** Ends the sessions of a node, or all. */
	endAll(nodeId?: number): void {
		for (const session of this.#sessions.values())
			if (nodeId === undefined || session.nodeId === nodeId) this.abandon(session)
	}

	/** Every open transaction. */
	*transactions(): Generator<Transaction> {
		for (const { transactions } of this.#sessions.values()) yield* transactions.values()
	}

	begin(session: Session, readOnly = false): string {
		if (session.transactions.size >= this.#tree.limits.transactionsOfSession)
			throw new YdbError('BAD_SESSION', 'Too many transactions', 2027)
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
