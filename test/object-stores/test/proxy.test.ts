import { createServer, type Server, connect, type AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { type Fault, startProxy, type TcpProxy } from '../src/proxy/index.ts'

/** Sends back what it gets, and ends when its client does. */
async function behind(plan: (connection: number) => Fault | undefined, lifetimeMs = 5000): Promise<TcpProxy> {
	const echo: Server = createServer({ allowHalfOpen: true }, (socket) => {
		socket.on('error', () => undefined)
		socket.pipe(socket)
	})
	await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve))
	const proxy = await startProxy({ target: (echo.address() as AddressInfo).port, plan, lifetimeMs })
	onTestFinished(async () => {
		await proxy[Symbol.asyncDispose]()
		await new Promise((resolve) => echo.close(resolve))
	})
	return proxy
}

interface Heard {
	readonly bytes: Buffer
	readonly code: string
}

/** What comes back for the bytes, until the connection ends, breaks, or is silent for so long. */
function ask(port: number, bytes: Buffer, silenceMs = 1500): Promise<Heard> {
	return new Promise((resolve) => {
		const heard: Buffer[] = []
		const socket = connect({ port, host: '127.0.0.1' })
		const finish = (code: string): void => {
			resolve({ bytes: Buffer.concat(heard), code })
			socket.destroy()
		}
		socket.setTimeout(silenceMs, () => finish('silent'))
		socket.on('data', (piece) => heard.push(piece))
		socket.once('error', (error: NodeJS.ErrnoException) => finish(error.code ?? 'error'))
		socket.once('end', () => finish('end'))
		socket.end(bytes)
	})
}

const DATA = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, i) => i % 251))

test('without a fault every byte passes both ways', async () => {
	const proxy = await behind(() => undefined)
	expect(await ask(proxy.port, DATA)).toEqual({ bytes: DATA, code: 'end' })
	expect(proxy.connections).toBe(1)
	expect(proxy.bytes).toEqual({ up: DATA.length, down: DATA.length })
})

test('a cut lets exactly so many bytes pass and then ends', async () => {
	const proxy = await behind(() => ({ down: { cutAfter: 70_001 }, cut: 'end' }))
	expect(await ask(proxy.port, DATA)).toEqual({ bytes: DATA.subarray(0, 70_001), code: 'end' })
	proxy.plan(() => ({ up: { cutAfter: 5 } }))
	const { bytes, code } = await ask(proxy.port, DATA)
	expect(bytes.length).toBeLessThanOrEqual(5)
	expect(code).toMatch(/ECONNRESET|EPIPE/)
})

test('a refused connection is reset, the next one passes', async () => {
	const proxy = await behind((connection) => ({ refuse: connection === 0 }))
	expect((await ask(proxy.port, DATA)).code).toMatch(/ECONNRESET|EPIPE/)
	expect((await ask(proxy.port, DATA)).bytes).toEqual(DATA)
})

test('exactly one bit is flipped', async () => {
	const proxy = await behind(() => ({ down: { flipAt: 123_456 } }))
	const { bytes } = await ask(proxy.port, DATA)
	const wrong = [...bytes.keys()].filter((at) => bytes[at] !== DATA[at])
	expect(wrong).toEqual([123_456])
	expect(bytes[123_456]! ^ DATA[123_456]!).toBe(1)
})

test('a black hole and a stall are silent and end with their life', async () => {
	const proxy = await behind(() => ({ blackHole: true }), 600)
	expect(await ask(proxy.port, DATA, 200)).toEqual({ bytes: Buffer.alloc(0), code: 'silent' })
	expect((await ask(proxy.port, DATA)).code).toMatch(/ECONNRESET|EPIPE/)
	proxy.plan(() => ({ down: { stallAfter: 1000 } }))
	expect(await ask(proxy.port, DATA, 300)).toEqual({ bytes: DATA.subarray(0, 1000), code: 'silent' })
})

test('a delay delays', async () => {
	const proxy = await behind(() => ({ down: { delayMs: 150 } }))
	const begin = performance.now()
	expect((await ask(proxy.port, Buffer.from('hello'))).bytes.toString()).toBe('hello')
	expect(performance.now() - begin).toBeGreaterThan(140)
})

test('a rate is kept', async () => {
	const proxy = await behind(() => ({ up: { bytesPerSecond: 1_000_000 } }))
	const begin = performance.now()
	expect((await ask(proxy.port, DATA)).bytes).toEqual(DATA)
	expect(performance.now() - begin).toBeGreaterThan(250)
})

test('another plan resets what is open, and disposing frees the port', async () => {
	const proxy = await behind(() => ({ blackHole: true }))
	const waiting = ask(proxy.port, DATA)
	await sleep(100)
	proxy.plan(() => undefined)
	expect((await waiting).code).toMatch(/ECONNRESET|EPIPE/)
	await proxy[Symbol.asyncDispose]()
	expect((await ask(proxy.port, DATA)).code).toBe('ECONNREFUSED')
})
