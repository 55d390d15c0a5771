import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { randomBytes } from 'node:crypto'
import { ExportToS3RequestSchema, ExportToS3SettingsSchema } from '@ydbjs/api/export'
import { ImportFromS3RequestSchema, ImportFromS3SettingsSchema } from '@ydbjs/api/import'
import type { Operation } from '@ydbjs/api/operation'
import { YdbError } from '../error.ts'
import type { Effect } from '../store/transaction.ts'
import { exportItems, checkExport } from './export-items.ts'
import { exportDirectory, runExport } from './export-run.ts'
import { storeFailure } from './import-files.ts'
import { checkImport, explicitItems } from './import-items.ts'
import { runImport } from './import-run.ts'
import { type Copied, isEnded, type Item, operationId, type Running, type State, told } from './operation.ts'
import { type Around, type OperationChanges, pause } from './work.ts'

/** What happened to an operation; replayed in order, it makes the same operations. */
export type OperationChange =
	| { readonly kind: 'begin'; readonly running: Running }
	| {
			readonly kind: 'state'
			readonly id: number
			readonly state: State
			readonly issue?: string
			readonly at?: number
	  }
	| { readonly kind: 'copied'; readonly id: number; readonly copied: Copied }
	| { readonly kind: 'items'; readonly id: number; readonly items: readonly Item[] }
	| { readonly kind: 'item'; readonly id: number; readonly at: number; readonly change: Partial<Item> }
	| { readonly kind: 'forget'; readonly id: number }

/** What the operations need of the emulator. */
export interface World extends Pick<Around, 'tree' | 'faults' | 'ca' | 'now'> {
	/** Whether a user may read a table or an object. */
	mayRead(user: string, path: string): boolean

	/** Applies and keeps a change of operations. */
	change(change: OperationChange): void
	/** Carries out a call that changes the scheme, as its user, and keeps it. */
	scheme(method: string, request: Uint8Array, user: string): void
	directory(path: string, user: string): void
	removeAll(path: string): void
	rows(effects: readonly Effect[]): void
}

const FIRST_ID = 281_474_976_710_656

/** Exports to and imports from S3, and what the operation service says of them. */
export class StoreOperations {
	readonly #world: World
	readonly #all = new Map<number, Running>()
	readonly #work = new Map<number, { readonly controller: AbortController; readonly done: Promise<void> }>()
	#nextId = FIRST_ID

	constructor(world: World) {
		this.#world = world
	}

	/** Carries out a change. */
	apply(change: OperationChange): void {
		if (change.kind === 'begin') {
			this.#nextId = Math.max(this.#nextId, change.running.id + 1)
			this.#all.set(change.running.id, structuredClone(change.running))
			return
		}
		const running = this.#all.get(change.id)
		if (!running) return
		if (change.kind === 'forget') this.#all.delete(change.id)
		else if (change.kind === 'copied') running.copied = change.copied
		else if (change.kind === 'items') running.items = structuredClone(change.items) as Item[]
		else if (change.kind === 'item') Object.assign(running.items[change.at]!, change.change)
		else {
			running.state = change.state
			if (change.issue !== undefined) running.issue = change.issue
			if (change.at !== undefined) running.endedAt = change.at
		}
	}

	/** Goes on with what was not done when the emulator was stopped. */
	resume(): void {
		for (const running of this.#all.values())
			if (running.state === 'cancelling') this.#change(running, 'cancelled')
			else if (!isEnded(running)) this.#go(running)
	}

	/** Stops all work where it is. */
	async close(): Promise<void> {
		for (const { controller } of this.#work.values()) controller.abort()
		await Promise.all([...this.#work.values()].map(({ done }) => done))
	}

	startExport(request: Uint8Array, user: string): Operation {
		const { settings: given, operationParams } = fromBinary(ExportToS3RequestSchema, request)
		const settings = given ?? create(ExportToS3SettingsSchema)
		const uid = operationParams?.labels.uid ?? ''
		const known =
			uid === '' ? undefined : [...this.#all.values()].find((each) => each.kind === 'export' && each.uid === uid)
		if (known) return told(known, this.#world.faults.unknownProgress)
		checkExport(settings)
		const iv = settings.encryptionSettings ? randomBytes(12) : undefined
		const items = exportItems(this.#world.tree, settings, iv, this.#world.faults.exportedKinds)
		for (const { path } of items)
			if (!this.#world.mayRead(user, path)) throw new YdbError('UNAUTHORIZED', `Access denied: path# ${path}`)
		return this.#begin({
			kind: 'export',
			uid,
			user,
			settings: Buffer.from(toBinary(ExportToS3SettingsSchema, settings)).toString('base64'),
			...(iv && { iv: iv.toString('base64') }),
			items,
		})
	}

	startImport(request: Uint8Array, user: string): Operation {
		const { settings: given, operationParams } = fromBinary(ImportFromS3RequestSchema, request)
		const settings = given ?? create(ImportFromS3SettingsSchema)
		const uid = operationParams?.labels.uid ?? ''
		// Source: schemeshard_import__create.cpp@00d3b6da; of newer servers it is not known.
		if (uid !== '' && [...this.#all.values()].some((each) => each.kind === 'import' && each.uid === uid))
			throw new YdbError('ALREADY_EXISTS', `Import with uid '${uid}' already exists`)
		checkImport(settings)
		return this.#begin({
			kind: 'import',
			uid,
			user,
			settings: Buffer.from(toBinary(ImportFromS3SettingsSchema, settings)).toString('base64'),
			items: settings.sourcePrefix === '' ? explicitItems(this.#world.tree, settings) : [],
		})
	}

	#begin(given: Omit<Running, 'id' | 'startedAt' | 'state'>): Operation {
		const running: Running = { ...given, id: this.#nextId, startedAt: this.#world.now(), state: 'preparing' }
		this.#world.change({ kind: 'begin', running })
		const begun = this.#all.get(running.id)!
		this.#go(begun)
		return told(begun, this.#world.faults.unknownProgress)
	}

	#change({ id }: Running, state: State, issue?: string): void {
		const isOver = state === 'done' || state === 'cancelled'
		this.#world.change({
			kind: 'state',
			id,
			state,
			...(issue !== undefined && { issue }),
			...(isOver && { at: this.#world.now() }),
		})
	}

	#go(running: Running): void {
		const controller = new AbortController()
		const done = this.#run(running, controller.signal).finally(() => this.#work.delete(running.id))
		this.#work.set(running.id, { controller, done })
	}

	async #run(running: Running, signal: AbortSignal): Promise<void> {
		const world = this.#world
		const { id, user } = running
		const changes: OperationChanges = {
			scheme: (method, request) => world.scheme(method, request, user),
			directory: (path) => world.directory(path, user),
			state: (state) => this.#change(running, state),
			copied: (copied) => world.change({ kind: 'copied', id, copied }),
			items: (items) => world.change({ kind: 'items', id, items }),
			item: (at, change) => {
				world.change({ kind: 'item', id, at, change })
				if (running.kind === 'import' && change.state) this.#followItems(running)
			},
			rows: (path, entries) => {
				world.tree.table(path).rows.apply(entries)
				world.rows([{ path, writes: [entries] }])
			},
		}
		const { tree, faults, ca } = world
		const around: Around = { tree, faults, ca, changes, signal, now: () => world.now() }
		try {
			if (running.state !== 'dropping') {
				if (faults.stuckOperations) await pause(2 ** 31 - 1, signal)
				if (faults.failOperations > 0) {
					faults.failOperations--
					throw new Error('a failure that was asked for')
				}
				await (running.kind === 'export' ? runExport(around, running) : runImport(around, running))
			}
			if (running.kind === 'export' && !faults.keepExportCopies) {
				this.#change(running, 'dropping')
				await pause(faults.operationDelayMs, signal)
				this.#drop(running)
			}
			this.#change(running, 'done')
		} catch (error) {
			this.#failed(running, error, signal)
		}
	}

	#failed(running: Running, error: unknown, signal: AbortSignal): void {
		if (running.state === 'cancelling') return this.#change(running, 'cancelled')
		// Stopped with the emulator: it goes on with it.
		if (signal.aborted) return
		const isOfItem = running.items.some(({ issue }) => issue !== undefined)
		this.#change(running, 'cancelled', isOfItem ? undefined : storeFailure(error))
	}

	/** An import is where its slowest item is. Source: GetMinState of schemeshard_import.cpp. */
	#followItems(running: Running): void {
		const order: readonly State[] = ['preparing', 'transferring', 'indexing', 'feeding', 'done']
		const least = Math.min(...running.items.map(({ state }) => (order.includes(state) ? order.indexOf(state) : 4)))
		const state = order[least]!
		if (state !== 'done' && state !== running.state && running.state !== 'cancelling') this.#change(running, state)
	}

	#drop(running: Running): void {
		const directory = exportDirectory(this.#world.tree, running)
		if (running.kind === 'export' && this.#world.tree.find(directory)) this.#world.removeAll(directory)
	}

	/** Those of a kind, in the order of their beginnings. */
	ofKind(kind: Running['kind']): Running[] {
		return [...this.#all.values()].filter((each) => each.kind === kind)
	}

	byId(id: string): Running {
		const found = [...this.#all.values()].find((each) => operationId(each) === id)
		if (!found) throw new YdbError('NOT_FOUND', 'Operation not found')
		return found
	}

	/** Source: schemeshard_export__cancel.cpp. */
	cancel(running: Running): void {
		if (isEnded(running) || running.state === 'dropping' || running.state === 'cancelling') return
		this.#change(running, 'cancelling', 'Cancelled manually')
		this.#work.get(running.id)?.controller.abort()
	}

	/** Source: schemeshard_export__forget.cpp. */
	forget(running: Running): void {
		if (!isEnded(running)) {
			const name = running.kind === 'export' ? 'Export' : 'Import'
			throw new YdbError('PRECONDITION_FAILED', `${name} operation is in progress`)
		}
		this.#drop(running)
		this.#world.change({ kind: 'forget', id: running.id })
	}
}
