import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import type { ContainerClient, StoragePipelineOptions } from '@azure/storage-blob'
import { BackupError } from '@ydbackup/core'
import type { Account } from './credentials.ts'

export interface Service {
	readonly container: ContainerClient
	/** Closes every connection. */
	close(): void
}

/** A client of one container. Sends nothing yet. Loads the SDK. */
export async function connectTo({ endpoint, access }: Account, containerName: string): Promise<Service> {
	const { AnonymousCredential, ContainerClient, newPipeline, StorageSharedKeyCredential } =
		await import('@azure/storage-blob')
	const agent = endpoint.startsWith('https:') ? new HttpsAgent({ keepAlive: true }) : new HttpAgent({ keepAlive: true })
	// The SDK passes `agent` on to its HTTP pipeline, though its type does not say so. Tries are counted by the driver.
	const options: StoragePipelineOptions & { agent: HttpAgent | HttpsAgent } = {
		agent,
		retryOptions: { maxTries: 1 },
		userAgentOptions: { userAgentPrefix: 'ydbackup' },
	}
	const url = `${endpoint}/${containerName}`
	const container =
		access.kind === 'key'
			? new ContainerClient(url, newPipeline(new StorageSharedKeyCredential(access.account, access.key), options))
			: access.kind === 'sas'
				? new ContainerClient(`${url}?${access.token}`, newPipeline(new AnonymousCredential(), options))
				: new ContainerClient(url, newPipeline(await defaultCredential(), options))
	return { container, close: () => agent.destroy() }
}

type Credential = NonNullable<Parameters<typeof import('@azure/storage-blob').newPipeline>[0]>

/** The identity of this machine or user. `@azure/identity` is large, so it is not installed with the driver. */
async function defaultCredential(): Promise<Credential> {
	const library: string = '@azure/identity'
	let loaded: { DefaultAzureCredential: new () => Credential }
	try {
		loaded = (await import(library)) as typeof loaded
	} catch (error) {
		throw new BackupError('CONFIG_INVALID', 'no credentials for Azure Blob Storage are set', {
			advice: `set AZURE_STORAGE_CONNECTION_STRING, AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN, or install ${library} beside the driver to use an identity`,
			cause: error,
		})
	}
	return new loaded.DefaultAzureCredential()
}
