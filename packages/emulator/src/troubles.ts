import { AuthServiceDefinition as Auth } from '@ydbjs/api/auth'
import { DiscoveryServiceDefinition as Discovery } from '@ydbjs/api/discovery'
import { QueryServiceDefinition as Query } from '@ydbjs/api/query'
import { TableServiceDefinition as TableService } from '@ydbjs/api/table'
import type { Control } from './control.ts'
import { GRPC, GrpcError, YdbError } from './error.ts'
import type { Faults } from './faults.ts'
import { failure, operationResponse } from './services/envelope.ts'
import { sendReadError } from './services/read-table.ts'
import type { Call, Reply } from './transport/grpc-server.ts'

/** Without these a client has no way to come to itself. */
const SPARED = new Set<string>([
	Auth.login.path,
	Discovery.listEndpoints.path,
	Discovery.whoAmI.path,
	Query.attachSession.path,
])

const QUERIES = '/Ydb.Query.V1.QueryService/'

/** What happens to every so many calls. */
export class Troubles {
	readonly #faults: Faults
	readonly #control: Control
	#calls = 0

	constructor(faults: Faults, control: Control) {
		this.#faults = faults
		this.#control = control
	}

	#strikes(every: number | undefined): boolean {
		return every !== undefined && every > 0 && this.#calls % every === 0
	}

	/** The call as it is to be answered; undefined when it has been answered. */
	async meet(call: Call, nodeId: number): Promise<Call | undefined> {
		if (SPARED.has(call.method)) return call
		const { restartEvery, restartMs, closeSessionsEvery, overloadedEvery, unavailableEvery, loseAnswerEvery } =
			this.#faults
		this.#calls++
		if (this.#strikes(restartEvery)) {
			// The emulator may be closed in the meantime.
			this.#control.restartNode(nodeId, restartMs).catch(() => {})
			throw new GrpcError(GRPC.UNAVAILABLE, 'the node restarts (a fault that was asked for)')
		}
		if (this.#strikes(closeSessionsEvery)) this.#control.closeSessions()
		for (const [status, every] of [
			['OVERLOADED', overloadedEvery],
			['UNAVAILABLE', unavailableEvery],
		] as const)
			if (this.#strikes(every)) {
				await refuse(call, new YdbError(status, `${status.toLowerCase()} (a fault that was asked for)`))
				return undefined
			}
		if (this.#strikes(loseAnswerEvery) && call.method !== TableService.streamReadTable.path)
			return { ...call, reply: new Nowhere(call.reply.closed) }
		return call
	}

	/** Called when a call was carried out. */
	answered({ reply }: Call): void {
		if (reply instanceof Nowhere)
			throw new GrpcError(GRPC.UNAVAILABLE, 'the answer was lost (a fault that was asked for)')
	}
}

/** Takes answers that nobody will hear. */
class Nowhere implements Reply {
	readonly closed: AbortSignal

	constructor(closed: AbortSignal) {
		this.closed = closed
	}

	async send(): Promise<void> {}
}

/** All responses that carry a status themselves carry it in the same two fields. */
async function refuse({ method, reply }: Call, error: YdbError): Promise<void> {
	if (method.startsWith(QUERIES) || method === TableService.streamReadTable.path) await sendReadError(error, reply)
	else await reply.send(operationResponse(failure(error)))
}
