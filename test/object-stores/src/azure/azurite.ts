import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import {
	BlobServiceClient,
	type ContainerClient,
	ContainerSASPermissions,
	generateBlobSASQueryParameters,
	newPipeline,
	SASProtocol,
	StorageSharedKeyCredential,
} from '@azure/storage-blob'

/** The account of every Azurite; published, so no secret. */
export const ACCOUNT = 'devstoreaccount1'
export const KEY = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=='

const START_MS = 20_000
const STOP_MS = 3000

export interface AzuriteOptions {
	/** Where blobs are kept; in memory where it is absent. */
	readonly directory?: string
	readonly port?: number
}

/** An Azurite in a process of its own. Disposing ends it. */
export interface Azurite extends AsyncDisposable {
	readonly port: number
	/** `http://127.0.0.1:PORT` */
	readonly url: string
	/** What a driver is given to sign with the account's key. */
	readonly environment: Readonly<Record<string, string>>
	/** Creates a container, by a client that does not pass through the driver. */
	createContainer(name: string): Promise<ContainerClient>
	/** A shared access signature for one container: permissions such as `rcwdl`, in seconds from now. */
	signature(container: string, permissions: string, seconds?: number): string
	/** Ends it without a chance to clean up. */
	kill(): Promise<void>
}

/** Starts Azurite on a port of the loopback, 20 s at most. */
export async function startAzurite({ directory, port = 0 }: AzuriteOptions = {}): Promise<Azurite> {
	const main = createRequire(import.meta.url).resolve('azurite/dist/src/blob/main.js')
	const place = directory === undefined ? ['--inMemoryPersistence'] : ['--location', directory]
	const flags = ['--blobHost', '127.0.0.1', '--skipApiVersionCheck', '--silent', '--disableTelemetry']
	const child = spawn(process.execPath, [main, '--blobPort', String(port), ...flags, ...place], {
		stdio: ['ignore', 'pipe', 'inherit'],
	})
	const killNow = (): void => void child.kill('SIGKILL')
	process.once('exit', killNow)
	const url = await listening(child).catch((error: unknown) => {
		killNow()
		throw error
	})
	const credential = new StorageSharedKeyCredential(ACCOUNT, KEY)
	const service = new BlobServiceClient(`${url}/${ACCOUNT}`, newPipeline(credential))
	const end = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
		process.removeListener('exit', killNow)
		if (child.exitCode !== null || child.signalCode !== null) return
		const ended = once(child, 'exit')
		const late = setTimeout(killNow, STOP_MS)
		child.kill(signal)
		await ended
		clearTimeout(late)
	}
	return {
		port: Number(new URL(url).port),
		url,
		environment: { AZURE_STORAGE_ACCOUNT: ACCOUNT, AZURE_STORAGE_KEY: KEY },
		async createContainer(name) {
			const container = service.getContainerClient(name)
			await container.create()
			return container
		},
		signature(containerName, permissions, seconds = 600) {
			return generateBlobSASQueryParameters(
				{
					containerName,
					permissions: ContainerSASPermissions.parse(permissions),
					protocol: SASProtocol.HttpsAndHttp,
					startsOn: new Date(Date.now() - 3_600_000),
					expiresOn: new Date(Date.now() + seconds * 1000),
				},
				credential,
			).toString()
		},
		kill: () => end('SIGKILL'),
		[Symbol.asyncDispose]: () => end('SIGTERM'),
	}
}

/** The address it says it listens on. */
function listening(child: ChildProcess): Promise<string> {
	return new Promise((resolve, reject) => {
		let said = ''
		const late = setTimeout(() => reject(new Error(`Azurite did not listen within ${START_MS} ms: ${said}`)), START_MS)
		child.once('exit', (code) => reject(new Error(`Azurite ended with ${code}: ${said}`)))
		child.once('error', reject)
		child.stdout?.on('data', (text: Buffer) => {
			said = (said + text.toString()).slice(-4000)
			const url = /listens on (http:\/\/\S+)/.exec(said)?.[1]
			if (url === undefined) return
			clearTimeout(late)
			resolve(url)
		})
	})
}
