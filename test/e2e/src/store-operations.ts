import type { MessageInitShape } from '@bufbuild/protobuf'
import { ExportServiceDefinition, type ExportToS3SettingsSchema } from '@ydbjs/api/export'
import { type ImportFromS3SettingsSchema, ImportServiceDefinition } from '@ydbjs/api/import'
import { type Operation, OperationServiceDefinition } from '@ydbjs/api/operation'
import { Driver } from '@ydbjs/core'
import { setTimeout as sleep } from 'node:timers/promises'
import type { S3Server } from '../../object-stores/src/s3/server.ts'

const SUCCESS = 400_000
const LIMIT_MS = 60_000

/** Settings of an export or an import that lead to a server of ours. */
export function placeOf(
	{ endpoint, credential }: S3Server,
	bucket: string,
): {
	endpoint: string
	scheme: number
	bucket: string
	accessKey: string
	secretKey: string
	disableVirtualAddressing: boolean
} {
	return {
		endpoint: endpoint.replace(/^https?:\/\//, ''),
		scheme: endpoint.startsWith('https') ? 2 : 1,
		bucket,
		accessKey: credential.accessKeyId,
		secretKey: credential.secretAccessKey,
		disableVirtualAddressing: true,
	}
}

/** A client of a database that lets the cluster export and import, and waits for it. */
export class StoreOperations implements Disposable {
	readonly #driver: Driver

	constructor(endpoint: string, database: string) {
		this.#driver = new Driver(`${endpoint}${database}`, { 'ydb.sdk.enable_discovery': false })
	}

	[Symbol.dispose](): void {
		this.#driver.close()
	}

	async export(settings: MessageInitShape<typeof ExportToS3SettingsSchema>): Promise<void> {
		const { operation } = await this.#driver.createClient(ExportServiceDefinition).exportToS3({ settings })
		await this.#ended(operation!)
	}

	async import(settings: MessageInitShape<typeof ImportFromS3SettingsSchema>): Promise<void> {
		const { operation } = await this.#driver.createClient(ImportServiceDefinition).importFromS3({ settings })
		await this.#ended(operation!)
	}

	async #ended(begun: Operation): Promise<void> {
		const client = this.#driver.createClient(OperationServiceDefinition)
		let operation = begun
		for (const limit = Date.now() + LIMIT_MS; !operation.ready; await sleep(10)) {
			if (Date.now() > limit) throw new Error(`${begun.id} did not end within ${LIMIT_MS} ms`)
			operation = (await client.getOperation({ id: begun.id })).operation!
		}
		if (operation.status !== SUCCESS)
			throw new Error(`${operation.status} ${operation.issues.map(({ message }) => message).join('; ')}`)
	}
}
