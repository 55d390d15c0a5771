import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { connect as connectTcp, isIP } from 'node:net'
import { connect as connectTls, type SecureContextOptions } from 'node:tls'
import { ListEndpointsResultSchema, DiscoveryServiceDefinition } from '@ydbjs/api/discovery'
import { Driver, type DriverOptions } from '@ydbjs/core'
import { BackupError, throwIfInterrupted } from '@ydbackup/core'
import { callError } from '../call/failure.ts'
import { resultOf } from '../call/operation.ts'
import { type Credentials, providerOf } from './credentials.ts'
import type { Target } from './target.ts'

export interface ChannelSettings extends Target {
	readonly credentials: Credentials
	readonly caFile?: string | undefined
	readonly readyTimeoutMs: number
}

const MAX_MESSAGE = 128 << 20
/** What the server may send ahead of us on one stream. */
const STREAM_WINDOW = 4 << 20

/** Connections to one database that share settings and credentials. Each has a TCP connection of its own. */
export class Channels implements Disposable {
	readonly #settings: ChannelSettings
	readonly #open = new Set<Driver>()
	readonly #options: DriverOptions
	#plain: Driver | undefined

	constructor(settings: ChannelSettings) {
		this.#settings = settings
		this.#options = {
			// The client's own discovery ends the process when a round fails (6.0.4).
			'ydb.sdk.enable_discovery': false,
			'ydb.sdk.ready_timeout_ms': settings.readyTimeoutMs,
			'ydb.sdk.application': 'ydbackup',
			...(settings.endpoint.startsWith('grpcs:') && {
				secureOptions: settings.caFile === undefined ? {} : { ca: readCa(settings.caFile) },
			}),
			channelOptions: {
				'grpc-node.flow_control_window': STREAM_WINDOW,
				'grpc.max_receive_message_length': MAX_MESSAGE,
				'grpc.max_send_message_length': MAX_MESSAGE,
				'grpc.use_local_subchannel_pool': 1,
			},
		}
		this.#options.credentialsProvider = providerOf(settings.credentials, () => (this.#plain ??= this.#create()))
	}

	#create(options: DriverOptions = { ...this.#options, credentialsProvider: undefined as never }): Driver {
		const { credentialsProvider, ...rest } = options
		const { endpoint, database } = this.#settings
		const driver = new Driver(`${endpoint}${encodeURI(database)}`, credentialsProvider ? options : rest)
		this.#open.add(driver)
		// Whoever waits for it hears of it; a failure that nobody waits for must not end the process.
		driver.ready().catch(() => {})
		return driver
	}

	/** A connection of its own, ready to be used. Errors: `DATABASE_UNREACHABLE`. */
	async connect(signal: AbortSignal | undefined): Promise<Driver> {
		const { endpoint, readyTimeoutMs } = this.#settings
		const driver = this.#create(this.#options)
		const bound = AbortSignal.timeout(readyTimeoutMs)
		try {
			await driver.ready(signal ? AbortSignal.any([signal, bound]) : bound)
			return driver
		} catch (error) {
			this.#open.delete(driver)
			driver.close()
			throwIfInterrupted(signal, `connecting to ${endpoint}`)
			const why = await whyNot(endpoint, this.#options.secureOptions)
			const message = `cannot connect to ${endpoint} within ${readyTimeoutMs / 1000} s${why ? `: ${why}` : ''}`
			throw new BackupError('DATABASE_UNREACHABLE', message, {
				advice: 'check host, port, TLS (grpc or grpcs) and whether the database runs',
				retry: 'later',
				cause: error,
			})
		}
	}

	/** Asks the server for the endpoints of the database: the cheapest proof that it serves the database and knows us. */
	async probe(driver: Driver, signal: AbortSignal | undefined): Promise<void> {
		const { database, endpoint, readyTimeoutMs } = this.#settings
		const doing = `use database ${database} at ${endpoint}`
		const bound = AbortSignal.timeout(readyTimeoutMs)
		try {
			const client = driver.createClient(DiscoveryServiceDefinition)
			const answer = await client.listEndpoints(
				{ database },
				{ signal: signal ? AbortSignal.any([signal, bound]) : bound },
			)
			resultOf(ListEndpointsResultSchema, answer, doing)
		} catch (thrown) {
			throwIfInterrupted(signal, doing)
			const error = callError(thrown, doing)
			if (error.code === 'DEADLINE_EXCEEDED')
				throw new BackupError('DATABASE_UNREACHABLE', `${error.message} (${readyTimeoutMs / 1000} s)`, {
					advice: 'check the endpoint and whether the database runs',
					cause: thrown,
				})
			if (error.code === 'PATH_NOT_FOUND' || error.reason === 'BAD_REQUEST')
				throw new BackupError('DATABASE_NOT_FOUND', error.message, {
					advice: 'check the path of the database',
					cause: thrown,
				})
			throw error
		}
	}

	[Symbol.dispose](): void {
		for (const driver of this.#open) driver.close()
		this.#open.clear()
	}
}

const WHY_MS = 1_000

/** What a plain connection runs into: the client for gRPC does not say. Undefined when it runs into nothing. */
function whyNot(endpoint: string, secure: SecureContextOptions | undefined): Promise<string | undefined> {
	const { hostname, port } = new URL(endpoint.replace(/^grpc/, 'http'))
	const host = hostname.replace(/^\[(.*)\]$/, '$1')
	return new Promise((resolve) => {
		const socket = secure
			? connectTls({
					...secure,
					host,
					port: Number(port),
					ALPNProtocols: ['h2'],
					servername: isIP(host) ? '' : host,
				})
			: connectTcp({ host, port: Number(port) })
		const done = (why: string | undefined): void => {
			socket.destroy()
			resolve(why)
		}
		socket.setTimeout(WHY_MS, () => done('no answer'))
		socket.once(secure ? 'secureConnect' : 'connect', () => done(undefined))
		socket.once('error', ({ code, message }: NodeJS.ErrnoException) => done(code || message))
	})
}

function readCa(file: string): Buffer {
	try {
		const pem = readFileSync(file)
		void new X509Certificate(pem)
		return pem
	} catch (error) {
		throw new BackupError('CONFIG_INVALID', `cannot read the certificates in ${file}`, {
			advice: 'give a PEM file with --ca-file',
			cause: error,
		})
	}
}
