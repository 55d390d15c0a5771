import { createHash, type KeyObject } from 'node:crypto'

import { RowCheck } from './check-rows.ts'
import { encryptedBlocks, placeIv } from './encrypted-blocks.ts'
import { Broken, demand, type NativeProblem } from './problem.ts'
import { type CheckedTable, readTable } from './table-rules.ts'
import { messages, readTree, text } from './text-tree.ts'
import { zstdFrames } from './zstd-frames.ts'

/** The files of one export; names are relative to its root. */
export interface NativeFiles {
	list(): AsyncIterable<{ readonly name: string; readonly size: number }>
	read(name: string): AsyncIterable<Uint8Array>
}

export interface NativeCheckOptions {
	/** Leave the insides of data files alone. */
	readonly schemeOnly?: boolean | undefined
	/** Of an encrypted export. */
	readonly key?: KeyObject | undefined
	/** Hears of each file before it is read; may throw to stop. */
	readonly onFile?: ((name: string) => void) | undefined
}

export interface NativeCheck {
	readonly problems: readonly NativeProblem[]
	readonly objects: number
	readonly files: number
	readonly rows: number
}

/** Small files are read whole, up to this. */
const LARGEST_SMALL = 64 << 20
/** What an item can be, in the order in which servers look. Source: `GetXxportProperties` in schemeshard_xxport__helpers.cpp. */
const SCHEMES = [
	'scheme.pb',
	'create_view.sql',
	'create_topic.pb',
	'create_async_replication.sql',
	'create_transfer.sql',
	'create_external_data_source.sql',
	'create_external_table.sql',
	'create_coordination_node.pb',
]
/** What the statement of such a file begins with, behind its context. */
const STATEMENTS: Readonly<Record<string, RegExp>> = {
	'create_view.sql': /\bCREATE\s+VIEW\b/iu,
	'create_async_replication.sql': /\bCREATE\s+ASYNC\s+REPLICATION\b/iu,
	'create_transfer.sql': /\bCREATE\s+TRANSFER\b/iu,
	'create_external_data_source.sql': /\bCREATE\s+(?:OR\s+REPLACE\s+)?EXTERNAL\s+DATA\s+SOURCE\b/iu,
	'create_external_table.sql': /\bCREATE\s+(?:OR\s+REPLACE\s+)?EXTERNAL\s+TABLE\b/iu,
}
const DATA = /^data_(\d{2,})\.csv(\.zst)?$/u
const HEX = /^[0-9a-f]{64}$/u
/** `EBackupFileType` by the name of a file of an item. */
const TYPES: Readonly<Record<string, number>> = {
	'metadata.json': 0,
	'permissions.pb': 1,
	'scheme.pb': 10,
	'create_view.sql': 10,
	'create_async_replication.sql': 10,
	'create_transfer.sql': 10,
	'create_external_data_source.sql': 10,
	'create_external_table.sql': 10,
	'create_coordination_node.pb': 10,
	'create_topic.pb': 11,
	'create_rate_limiter.pb': 11,
	'changefeed_description.pb': 12,
	'topic_description.pb': 13,
}

/**
 * Checks an export of the prefix style by the rules that are documented of `ydb import s3|nfs` and `ydb tools validate`, and of no
 * writer: this folder imports nothing of ours. Every problem is listed; only what reading files throws comes through. Bounded memory:
 * one zstd frame, block or line at a time.
 */
export async function checkNativeExport(files: NativeFiles, options: NativeCheckOptions = {}): Promise<NativeCheck> {
	const check = new ExportCheck(files, options)
	await check.run()
	return check.result()
}

interface Item {
	readonly path: string
	readonly prefix: string
	readonly iv: string | undefined
}

class ExportCheck {
	readonly #files: NativeFiles
	readonly #options: NativeCheckOptions
	readonly #sizes = new Map<string, number>()
	readonly #unused = new Set<string>()
	readonly #problems: NativeProblem[] = []
	#isEncrypted = false
	#hasChecksums = false
	#objects = 0
	#rows = 0

	constructor(files: NativeFiles, options: NativeCheckOptions) {
		this.#files = files
		this.#options = options
	}

	result(): NativeCheck {
		return { problems: this.#problems, objects: this.#objects, files: this.#sizes.size, rows: this.#rows }
	}

	async run(): Promise<void> {
		for await (const { name, size } of this.#files.list()) this.#sizes.set(name, size)
		for (const name of this.#sizes.keys()) this.#unused.add(name)
		const root = await this.#guard('metadata.json', () => this.#root())
		if (root !== true) return
		const items = (await this.#guard('SchemaMapping/mapping.json', () => this.#mapping())) ?? []
		for (const item of items) await this.#guard(`${item.prefix}/metadata.json`, () => this.#item(item))
		for (const name of this.#unused)
			this.#problems.push({ file: name, message: 'belongs to nothing that the mapping names' })
	}

	/** What `work` finds broken is a problem of that file, and does not stop the rest. */
	async #guard<T>(file: string, work: () => Promise<T>): Promise<T | undefined> {
		try {
			return await work()
		} catch (error) {
			if (!(error instanceof Broken)) throw error
			this.#problems.push({ file: this.#stored(file) ?? file, message: error.message })
			return undefined
		}
	}

	async #root(): Promise<boolean> {
		const bytes = await this.#bytes('metadata.json')
		const { kind, compression, encryption, checksum } = json(bytes)
		demand(kind === 'SimpleExportV0', `has the kind ${JSON.stringify(kind)}`)
		demand(
			compression === undefined || /^zstd(?:-(?:[1-9]|1\d|2[0-2]))?$/u.test(String(compression)),
			'names a compression that is none',
		)
		demand(checksum === undefined || checksum === 'sha256', 'names a checksum that is none')
		this.#hasChecksums = checksum === 'sha256'
		await this.#guard('metadata.json', () => this.#sidecar('metadata.json', bytes))
		this.#isEncrypted = encryption !== undefined
		if (!this.#isEncrypted) return true
		demand(
			['AES-128-GCM', 'AES-256-GCM', 'ChaCha20-Poly1305'].includes(String(encryption)),
			'names an encryption that is none',
		)
		demand(this.#options.key !== undefined, 'says that the export is encrypted, and no key is given')
		return true
	}

	/** The chain of trust: the IV of the export is taken from the first file, and all others must follow from it. */
	async #mapping(): Promise<Item[]> {
		const marker = 'SchemaMapping/metadata.json'
		let exportIv = ''
		await this.#guard(marker, async () => {
			const bytes = await this.#plain(marker, (iv) => (exportIv = iv))
			demand(json(bytes)['kind'] === 'SchemaMappingV0', 'is of a kind that is not known')
			await this.#sidecar(marker, bytes)
		})
		const name = 'SchemaMapping/mapping.json'
		const bytes = await this.#plain(name, this.#isEncrypted ? placeIv(exportIv || '0', 2, 0, 0) : undefined)
		await this.#guard(name, () => this.#sidecar(name, bytes))
		const { exportedObjects: objects } = json(bytes)
		demand(isRecord(objects), 'has no exportedObjects')
		demand(Object.keys(objects).length > 0, 'names no object: an import would find nothing to do')
		const folders = new Set<string>()
		return Object.entries(objects).map(([path, entry]) => {
			demand(isRecord(entry), `has nothing for ${path}`)
			const { exportPrefix: prefix, iv } = entry
			demand(typeof prefix === 'string' && isRelative(prefix), `has no folder for ${path}`)
			demand(isRelative(path), `has the path ${JSON.stringify(path)}`)
			demand(!folders.has(prefix), `has the folder ${prefix} twice`)
			folders.add(prefix)
			if (!this.#isEncrypted) {
				demand(iv === undefined, `has an IV for ${path}, and the export is not encrypted`)
				return { path, prefix, iv: undefined }
			}
			demand(typeof iv === 'string' && /^[0-9A-Fa-f]{24}$/u.test(iv), `has no IV for ${path}`)
			return { path, prefix, iv: iv.toUpperCase() }
		})
	}

	async #item(item: Item): Promise<void> {
		this.#objects += 1
		const { prefix } = item
		const metadata = json(await this.#small(item, 'metadata.json'))
		const { version, permissions, changefeeds, indexes } = metadata
		demand(version === undefined || version === 0 || version === 1, 'has a version that is not known')
		demand(!this.#hasChecksums || version !== 0, 'says that it has no checksums, and the export has some')
		demand(
			!this.#isEncrypted || Array.isArray(changefeeds),
			'does not describe changefeeds, which an encrypted export must',
		)
		const hasPermissions = permissions === 1 || (permissions === undefined && this.#has(`${prefix}/permissions.pb`))
		if (hasPermissions) {
			await this.#guard(`${prefix}/permissions.pb`, async () => {
				const actions = messages(readTree((await this.#small(item, 'permissions.pb')).toString()), 'actions')
				demand(actions.length > 0, 'changes nothing')
			})
		}
		for (const [at, feed] of (Array.isArray(changefeeds) ? changefeeds : []).entries())
			await this.#changefeed(item, feed, at)
		const scheme = SCHEMES.find((name) => this.#has(`${prefix}/${name}`))
		demand(scheme !== undefined, 'has no scheme file beside it')
		await this.#guard(`${prefix}/${scheme}`, async () => {
			const bytes = await this.#small(item, scheme)
			if (scheme.endsWith('.pb')) readTree(bytes.toString())
			const statement = STATEMENTS[scheme]
			demand(statement === undefined || statement.test(bytes.toString()), 'has no statement of its kind')
			if (scheme === 'create_coordination_node.pb') await this.#rateLimiters(item)
			if (scheme !== 'scheme.pb') return
			const tree = readTree(bytes.toString())
			// The server describes the indexes of tables that have some.
			demand(
				!this.#isEncrypted || Array.isArray(indexes) || messages(tree, 'indexes').length === 0,
				'has indexes that metadata.json does not describe, which an encrypted export must',
			)
			await this.#table(item, readTable(tree))
		})
	}

	async #changefeed(item: Item, feed: unknown, at: number): Promise<void> {
		demand(
			isRecord(feed) && typeof feed['prefix'] === 'string' && isRelative(feed['prefix']),
			'has a changefeed without a folder',
		)
		const { prefix } = feed
		for (const name of ['changefeed_description.pb', 'topic_description.pb']) {
			await this.#guard(`${item.prefix}/${prefix}/${name}`, async () => {
				const tree = readTree((await this.#small(item, `${prefix}/${name}`, at)).toString())
				demand(name !== 'changefeed_description.pb' || text(tree, 'name') !== undefined, 'has no name')
			})
		}
	}

	/** Folders below a node's, whatever their names: how the list of them in metadata.json is called is not known. */
	async #rateLimiters(item: Item): Promise<void> {
		const file = '/create_rate_limiter.pb'
		const names = Array.from(this.#sizes.keys(), (name) => (this.#isEncrypted ? name.replace(/\.enc$/u, '') : name))
		const found = names.filter((name) => name.startsWith(`${item.prefix}/`) && name.endsWith(file)).toSorted()
		for (const [at, name] of found.entries()) {
			await this.#guard(name, async () => {
				readTree((await this.#small(item, name.slice(item.prefix.length + 1), at)).toString())
			})
		}
	}

	async #table(item: Item, table: CheckedTable): Promise<void> {
		const found = new Map<number, string>()
		const folder = `${item.prefix}/`
		for (const stored of this.#sizes.keys()) {
			if (!stored.startsWith(`${folder}data_`) || stored.endsWith('.sha256')) continue
			const name = this.#isEncrypted ? stored.slice(folder.length).replace(/\.enc$/u, '') : stored.slice(folder.length)
			const number = Number(DATA.exec(name)?.[1] ?? -1)
			demand(
				number >= 0 && name.startsWith(`data_${String(number).padStart(2, '0')}.`),
				`stands beside ${name}, which is no name of a data file`,
			)
			demand(!found.has(number), `stands beside two data files of partition ${number}`)
			found.set(number, name)
		}
		demand(
			found.size === table.partitions,
			`has ${table.partitions} partitions, and ${found.size} data files stand beside it`,
		)
		for (let number = 0; number < table.partitions; number += 1) {
			const name = found.get(number)
			demand(name !== undefined, `has no data file of partition ${number}`)
			await this.#guard(`${folder}${name}`, () => this.#data(item, table, name, number))
		}
	}

	async #data(item: Item, table: CheckedTable, name: string, number: number): Promise<void> {
		const stored = this.#stored(`${item.prefix}/${name}`) ?? ''
		this.#unused.delete(stored)
		const sidecar = `${item.prefix}/${name.replace(/\.zst$/u, '')}.sha256`
		const expected = this.#hasChecksums ? await this.#readSidecar(sidecar) : undefined
		demand(!this.#isEncrypted || this.#sizes.get(stored) !== 0, 'is empty, which an encrypted file never is')
		if (this.#options.schemeOnly === true) return
		const hash = createHash('sha256')
		const rows = new RowCheck(table, number)
		const isPacked = name.endsWith('.zst')
		const iv = item.iv && placeIv(item.iv, 11, 0, number)
		async function follow(pieces: AsyncIterable<Uint8Array>, what: string | undefined): Promise<void> {
			for await (const piece of pieces) {
				const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.length)
				hash.update(bytes)
				rows.take(bytes)
				demand(what === undefined || rows.isAtEnd, `has a ${what} that does not end with a row`)
			}
		}
		if (!this.#isEncrypted) {
			await follow(isPacked ? zstdFrames(this.#read(stored)) : this.#read(stored), isPacked ? 'zstd frame' : undefined)
		} else {
			for await (const block of this.#decrypt(stored, iv)) {
				await follow(isPacked ? zstdFrames(once(block)) : once(block), isPacked ? 'zstd frame' : 'block')
			}
		}
		demand(rows.isAtEnd, 'does not end with a line end')
		this.#rows += rows.lines
		const found = hash.digest('hex')
		demand(expected === undefined || expected === found, `has the SHA-256 ${found}, and its sidecar has ${expected}`)
	}

	/** A small file of an item, with its sidecar. */
	async #small(item: Item, name: string, shard = 0): Promise<Buffer> {
		const file = `${item.prefix}/${name}`
		const type = TYPES[name.slice(name.lastIndexOf('/') + 1)] ?? 0
		const bytes = await this.#plain(file, item.iv && placeIv(item.iv, type, 0, shard))
		await this.#guard(file, () => this.#sidecar(file, bytes))
		return bytes
	}

	/** A small file as it was before encryption, where the export is encrypted. `iv` is what it must be, or hears what it is. */
	async #plain(file: string, iv: string | ((iv: string) => void) | undefined): Promise<Buffer> {
		if (!this.#isEncrypted) return this.#bytes(file)
		const stored = `${file}.enc`
		demand(this.#sizes.has(stored), 'is not there')
		this.#unused.delete(stored)
		return collect(this.#decrypt(stored, iv))
	}

	async #bytes(file: string): Promise<Buffer> {
		demand(this.#sizes.has(file), 'is not there')
		this.#unused.delete(file)
		const bytes = await collect(this.#read(file))
		demand(bytes.length > 0, 'is empty')
		return bytes
	}

	#decrypt(stored: string, iv: string | ((iv: string) => void) | undefined): AsyncGenerator<Buffer> {
		const { key } = this.#options
		demand(key !== undefined, 'is encrypted')
		return encryptedBlocks(this.#read(stored), key, (found) => {
			if (typeof iv === 'function') iv(found)
			else demand(iv === found, `has the IV ${found} in its header, and its place has ${iv}`)
		})
	}

	async #sidecar(file: string, bytes: Buffer): Promise<void> {
		if (!this.#hasChecksums) return
		const expected = await this.#readSidecar(`${file}.sha256`)
		const found = createHash('sha256').update(bytes).digest('hex')
		demand(expected === found, `has the SHA-256 ${found}, and its sidecar has ${expected}`)
	}

	/** As YDB reads it: all up to the first space, or all of it. */
	async #readSidecar(file: string): Promise<string> {
		demand(this.#sizes.has(file), `has no ${file}`)
		this.#unused.delete(file)
		const hex = (await collect(this.#read(file))).toString('latin1').split(' ', 1)[0] ?? ''
		demand(HEX.test(hex), `has ${file}, which holds no SHA-256`)
		return hex
	}

	#has(file: string): boolean {
		return this.#stored(file) !== undefined
	}

	/** The name under which a file is there. */
	#stored(file: string): string | undefined {
		return [file, `${file}.enc`].find((name) => this.#sizes.has(name))
	}

	#read(stored: string): AsyncIterable<Uint8Array> {
		this.#options.onFile?.(stored)
		return this.#files.read(stored)
	}
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
	yield bytes
}

async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
	const pieces: Uint8Array[] = []
	let size = 0
	for await (const piece of stream) {
		size += piece.length
		demand(size <= LARGEST_SMALL, 'is larger than any such file')
		pieces.push(piece)
	}
	return Buffer.concat(pieces)
}

function json(bytes: Buffer): Record<string, unknown> {
	let value: unknown
	try {
		value = JSON.parse(bytes.toString())
	} catch {
		throw new Broken('is no JSON')
	}
	demand(isRecord(value), 'is no JSON object')
	return value
}

function isRecord(value: unknown): value is Record<string, unknown> {
	return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isRelative(path: string): boolean {
	return path !== '' && path.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
}
