import { readFile } from 'node:fs/promises'
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { getCACertificates } from 'node:tls'
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3'
import { BackupError } from '@ydbackup/core'
import type { S3Settings } from './location.ts'
import { S3Session } from './session.ts'

const MAX_SOCKETS = 64
const CONNECT_MS = 10_000
/** Above this a scheduler would rather queue requests itself. */
export const MAX_CONCURRENCY = 32

/** Nothing is logged by a driver, nor by its SDK. */
const SILENT = { trace() {}, debug() {}, info() {}, warn() {}, error() {} }

/** A client for the settings. It sends nothing yet. */
export async function newSession(settings: S3Settings): Promise<S3Session> {
	const { region, endpoint, pathStyle, profile, credentials, timeoutMs, customerKey } = settings
	const agent = { keepAlive: true, maxSockets: MAX_SOCKETS }
	const ca = await authorities(settings.caFile)
	const config: S3ClientConfig = {
		...(region !== undefined && { region }),
		...(endpoint !== undefined && { endpoint }),
		...(profile !== undefined && { profile }),
		...(credentials && { credentials }),
		forcePathStyle: pathStyle,
		logger: SILENT,
		// Retries are ours: those of the SDK cannot be stopped while they pause.
		maxAttempts: 1,
		// Older stores take trailers for data or refuse them; every body here carries a checksum in its headers.
		requestChecksumCalculation: 'WHEN_REQUIRED',
		responseChecksumValidation: 'WHEN_REQUIRED',
		// With it the SDK opens a new connection for every part.
		...({ expectContinueHeader: false } as object),
		requestHandler: {
			logger: SILENT,
			connectionTimeout: Math.min(timeoutMs, CONNECT_MS),
			httpAgent: new HttpAgent(agent),
			httpsAgent: new HttpsAgent({ ...agent, ...(ca && { ca }) }),
		},
	}
	const secrets = [credentials?.secretAccessKey, credentials?.sessionToken, customerKey]
	return new S3Session(
		new S3Client(config),
		timeoutMs,
		secrets.filter((secret) => secret !== undefined),
	)
}

/** The certificates that are trusted: those of Node and those of the file. */
async function authorities(file: string | undefined): Promise<string[] | undefined> {
	if (file === undefined) return undefined
	try {
		const text = await readFile(file, 'utf8')
		if (!text.includes('-----BEGIN CERTIFICATE-----')) throw new Error('it holds no certificate in PEM')
		return [...getCACertificates('default'), text]
	} catch (error) {
		throw new BackupError('LOCATION_INVALID', `cannot read the certificates in ${file}: ${String(error)}`, {
			advice: 'give a PEM file with ?caFile= or AWS_CA_BUNDLE',
			cause: error,
		})
	}
}
