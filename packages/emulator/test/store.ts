import { anyUnpack } from '@bufbuild/protobuf/wkt'
import { create, type MessageInitShape, type UnknownField } from '@bufbuild/protobuf'
import { setTimeout as sleep } from 'node:timers/promises'
import {
	ExportServiceDefinition,
	type ExportToS3Metadata,
	ExportToS3MetadataSchema,
	ExportToS3SettingsSchema,
} from '@ydbjs/api/export'
import {
	type ImportFromS3Metadata,
	ImportFromS3MetadataSchema,
	ImportFromS3SettingsSchema,
	ImportServiceDefinition,
	ListObjectsInS3ExportResultSchema,
	type ListObjectsInS3ExportSettingsSchema,
} from '@ydbjs/api/import'
import { type Operation, OperationServiceDefinition } from '@ydbjs/api/operation'
import { ListDirectoryResultSchema, SchemeServiceDefinition } from '@ydbjs/api/scheme'
import { type EmulatorOptions, startEmulator } from '@ydbackup/emulator'
import { type S3Server, type S3ServerOptions, startS3Server } from '../../../test/object-stores/src/s3/server.ts'
import { Client, credentials } from './clients.ts'

const SUCCESS = 400_000
/** An operation that is not over by then hangs. */
const LIMIT_MS = 20_000

/** `unknown`: fields that the client package does not know yet. */
interface Unknown {
	readonly unknown?: readonly UnknownField[]
}
type ExportInit = MessageInitShape<typeof ExportToS3SettingsSchema> & Unknown
type ImportInit = MessageInitShape<typeof ImportFromS3SettingsSchema> & Unknown

/** An emulator and a strict S3, with what tests ask of both. */
export class World implements AsyncDisposable {
	static async start(options: EmulatorOptions = {}, store: S3ServerOptions = {}, user?: string): Promise<World> {
		const world = new World()
		world.#user = user
		world.#options = options
		world.store = await startS3Server(store)
		await world.open()
		return world
	}

	#options!: EmulatorOptions
	#user: string | undefined
	store!: S3Server
	emulator!: Awaited<ReturnType<typeof startEmulator>>
	client!: Client

	async open(): Promise<void> {
		const faults = { operationDelayMs: 1, storeRetryMinuteMs: 1, ...this.#options.faults }
		this.emulator = await startEmulator({ ...this.#options, faults })
		this.client = await Client.open(
			this.emulator,
			this.#user === undefined ? undefined : await credentials(this.emulator, this.#user, ''),
		)
	}

	async closeDatabase(): Promise<void> {
		await this.client[Symbol.asyncDispose]()
		await this.emulator.close()
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.closeDatabase()
		await this.store[Symbol.asyncDispose]()
	}

	async run(...statements: string[]): Promise<void> {
		for (const statement of statements) await this.client.rows(statement)
	}

	/** Settings that reach the store. */
	get place(): Omit<ImportInit & ExportInit, 'scheme'> & { scheme: number } {
		const { endpoint, credential } = this.store
		return {
			endpoint: endpoint.replace(/^https?:\/\//, ''),
			scheme: endpoint.startsWith('https') ? 2 : 1,
			bucket: 'bucket',
			accessKey: credential.accessKeyId,
			secretKey: credential.secretAccessKey,
			disableVirtualAddressing: true,
		}
	}

	async startExport({ unknown = [], ...given }: ExportInit, uid?: string): Promise<Operation> {
		const settings = create(ExportToS3SettingsSchema, { ...this.place, ...given } as object)
		settings.$unknown = [...unknown]
		const { operation } = await this.client.driver.createClient(ExportServiceDefinition).exportToS3({
			settings,
			...(uid !== undefined && { operationParams: { labels: { uid } } }),
		})
		return operation!
	}

	async startImport({ unknown = [], ...given }: ImportInit, uid?: string): Promise<Operation> {
		const settings = create(ImportFromS3SettingsSchema, { ...this.place, ...given } as object)
		settings.$unknown = [...unknown]
		const { operation } = await this.client.driver.createClient(ImportServiceDefinition).importFromS3({
			settings,
			...(uid !== undefined && { operationParams: { labels: { uid } } }),
		})
		return operation!
	}

	async get(id: string): Promise<Operation> {
		const { operation } = await this.client.driver.createClient(OperationServiceDefinition).getOperation({ id })
		return operation!
	}

	/** Follows an operation to its end. */
	async ended({ id, status, issues }: Operation): Promise<Operation> {
		if (status !== SUCCESS) throw new Error(`${status} ${issues[0]?.message}`)
		for (const limit = Date.now() + LIMIT_MS; Date.now() < limit; await sleep(3)) {
			const operation = await this.get(id)
			if (operation.ready) return operation
		}
		throw new Error(`the operation ${id} did not end within ${LIMIT_MS} ms`)
	}

	/** A whole export that must succeed. */
	async export(settings: ExportInit): Promise<Operation> {
		return succeeded(await this.ended(await this.startExport(settings)))
	}

	async import(settings: ImportInit): Promise<Operation> {
		return succeeded(await this.ended(await this.startImport(settings)))
	}

	async forget(id: string): Promise<{ status: number; message: string }> {
		const { status, issues } = await this.client.driver.createClient(OperationServiceDefinition).forgetOperation({ id })
		return { status, message: issues[0]?.message ?? '' }
	}

	async cancel(id: string): Promise<number> {
		return (await this.client.driver.createClient(OperationServiceDefinition).cancelOperation({ id })).status
	}

	async list(
		kind: string,
		pageSize = 10n,
		pageToken = '',
	): Promise<{ operations: Operation[]; nextPageToken: string }> {
		return this.client.driver.createClient(OperationServiceDefinition).listOperations({ kind, pageSize, pageToken })
	}

	/** `path=prefix` of what an export holds. */
	async listObjects(
		settings: MessageInitShape<typeof ListObjectsInS3ExportSettingsSchema>,
		pageSize = 0,
		pageToken = '',
	): Promise<{ items: string[]; next: string }> {
		const { operation } = await this.client.driver.createClient(ImportServiceDefinition).listObjectsInS3Export({
			settings: { ...this.place, ...settings } as typeof settings,
			pageSize: BigInt(pageSize),
			pageToken,
		})
		if (operation!.status !== SUCCESS) throw new Error(operation!.issues[0]?.message)
		const { items, nextPageToken } = anyUnpack(operation!.result!, ListObjectsInS3ExportResultSchema)!
		return { items: items.map(({ path, prefix }) => `${path}=${prefix}`), next: nextPageToken }
	}

	/** Names in a directory. */
	async children(path: string): Promise<string[]> {
		const { operation } = await this.client.driver.createClient(SchemeServiceDefinition).listDirectory({ path })
		return anyUnpack(operation!.result!, ListDirectoryResultSchema)!.children.map(({ name }) => name)
	}

	keys(prefix = ''): string[] {
		return this.store.keys('bucket').filter((key) => key.startsWith(prefix))
	}

	text(key: string): string {
		const bytes = this.store.bytes('bucket', key)
		if (!bytes) throw new Error(`${key} is not in the store: ${this.keys().join(' ')}`)
		return bytes.toString()
	}
}

function succeeded(operation: Operation): Operation {
	if (operation.status !== SUCCESS)
		throw new Error(`${operation.status} ${operation.issues.map(({ message }) => message).join('; ')}`)
	return operation
}

export const exportMetadata = (operation: Operation): ExportToS3Metadata =>
	anyUnpack(operation.metadata!, ExportToS3MetadataSchema)!
export const importMetadata = (operation: Operation): ImportFromS3Metadata =>
	anyUnpack(operation.metadata!, ImportFromS3MetadataSchema)!
