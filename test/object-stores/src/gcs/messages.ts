import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Fault } from './faults.ts'

/** The body of a request, as far as it came. */
export interface Arrived {
	readonly pieces: readonly Buffer[]
	readonly length: number
	/** Whether the connection broke before its end. */
	readonly isCut: boolean
}

/** Reads a body whole, or resets the connection after `cutAfter` bytes of it. */
export async function readBody(request: IncomingMessage, cutAfter: number = Infinity): Promise<Arrived> {
	const pieces: Buffer[] = []
	let length = 0
	try {
		if (cutAfter === 0) throw cut(request)
		for await (const piece of request as AsyncIterable<Buffer>) {
			const left = cutAfter - length
			pieces.push(piece.length > left ? piece.subarray(0, left) : piece)
			length += Math.min(piece.length, left)
			if (length >= cutAfter) throw cut(request)
		}
	} catch {
		return { pieces, length, isCut: true }
	}
	return { pieces, length, isCut: !request.complete }
}

function cut(request: IncomingMessage): Error {
	request.socket.resetAndDestroy()
	return new Error('cut')
}

export interface Answer {
	readonly status: number
	readonly headers?: Readonly<Record<string, string>>
	readonly pieces?: readonly Buffer[]
}

export function jsonAnswer(status: number, value: unknown, headers: Record<string, string> = {}): Answer {
	return {
		status,
		headers: { ...headers, 'Content-Type': 'application/json; charset=UTF-8' },
		pieces: [Buffer.from(JSON.stringify(value))],
	}
}

/** Sends an answer, or what a fault leaves of it. */
export async function send(
	request: IncomingMessage,
	response: ServerResponse,
	answer: Answer,
	fault: Fault | undefined,
): Promise<void> {
	if (fault && 'loseAnswer' in fault) {
		request.socket.resetAndDestroy()
		return
	}
	if (fault && 'delayMs' in fault) await sleep(fault.delayMs)
	let body = answer.pieces ?? []
	if (fault && 'truncateTo' in fault) body = [Buffer.concat(body).subarray(0, fault.truncateTo)]
	if (fault && 'flipByteAt' in fault) {
		const bytes = Buffer.concat(body)
		bytes[fault.flipByteAt]! ^= 0xff
		body = [bytes]
	}
	const length = body.reduce((sum, piece) => sum + piece.length, 0)
	response.writeHead(answer.status, { ...answer.headers, 'Content-Length': String(length) })
	if (fault && 'cutResponseAfter' in fault) {
		response.write(Buffer.concat(body).subarray(0, fault.cutResponseAfter), () => request.socket.resetAndDestroy())
		return
	}
	for (const piece of body) {
		if (response.destroyed) return
		if (!response.write(piece)) await drained(response)
	}
	response.end()
}

function drained(response: ServerResponse): Promise<void> {
	return new Promise((resolve) => {
		const done = (): void => {
			response.off('drain', done).off('close', done)
			resolve()
		}
		response.on('drain', done).on('close', done)
	})
}
