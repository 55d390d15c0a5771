import { mkdir, open, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Journal } from './journal.ts'
import type { Leaf } from './leaf.ts'
import { lock } from './lock.ts'
import { createFile, damaged, FORMAT, type Head, readRecords, syncDirectory } from './records.ts'
import { readSnapshot, type SchemeChange, type State, writeSnapshot } from './snapshot.ts'
import { readVersion1 } from './version-1.ts'

/** What a data directory needs of the database that it keeps. */
export interface Database {
	/** Whether a change is one of rows: the others are kept as they came, for ever. */
	changesRows(method: string): boolean
	replay(method: string, user: string, request: Buffer): Promise<void>
	/** Rows of a table, behind those that it has. */
	addLeaves(table: string, leaves: readonly Leaf[]): void
	/** Paths and rows of all tables as they are now. */
	tables(): State['tables']
	/** Something that whoever started the emulator should know. */
	say(text: string): void
}

/** A snapshot is written when what must be replayed at the next start is larger than this, and than half of the snapshot before. */
const LEAST_JOURNAL = 64 << 20

/**
 * Keeps a database in a directory: `snapshot-N`, and what happened since in `journal-N` and perhaps `journal-N+1`. A snapshot is written while the
 * database works; the files before it go when it is whole.
 */
export class DataDirectory {
	readonly #path: string
	readonly #database: Database
	readonly #unlock: () => Promise<void>
	readonly #changes: SchemeChange[] = []
	readonly #stop = new AbortController()
	readonly #leastJournal: number
	#journal!: Journal
	#generation = 0
	#snapshotBytes = 0
	#compacting: Promise<void> | undefined

	private constructor(path: string, database: Database, unlock: () => Promise<void>, leastJournal: number) {
		this.#path = path
		this.#database = database
		this.#unlock = unlock
		this.#leastJournal = leastJournal
	}

	/** Takes the directory (created when absent) and brings the database to the state that it holds. Refuses what it cannot read. */
	static async open(path: string, database: Database, leastJournal: number = LEAST_JOURNAL): Promise<DataDirectory> {
		await mkdir(path, { recursive: true, mode: 0o700 })
		const unlock = await lock(path)
		try {
			const directory = new DataDirectory(path, database, unlock, leastJournal)
			await directory.#read()
			return directory
		} catch (error) {
			await unlock()
			throw error
		}
	}

	#file(kind: 'snapshot' | 'journal', generation: number): string {
		return join(this.#path, `${kind}-${generation}`)
	}

	async #checkFormat(names: readonly string[]): Promise<void> {
		const path = join(this.#path, 'format')
		const text = names.includes('format') ? await readFile(path, 'utf8') : ''
		if (text === '') {
			await writeFile(path, `ydb-emulator data ${FORMAT}\n`, { mode: 0o600, flush: true })
			return
		}
		const version = Number(/^ydb-emulator data (\d+)\n$/.exec(text)?.[1])
		if (!(version >= 1)) throw damaged(path, 'it does not name a version')
		if (version > FORMAT)
			throw new Error(
				`${this.#path} was written by a newer ydb-emulator (format ${version}); this one reads up to ${FORMAT}. Use the newer one, or another data directory`,
			)
	}

	async #read(): Promise<void> {
		const names = await readdir(this.#path)
		const numbers = (kind: string): number[] =>
			names
				.flatMap((name) => new RegExp(`^${kind}-(\\d+)$`).exec(name)?.[1] ?? [])
				.map(Number)
				.sort((a, b) => a - b)
		await this.#checkFormat(names)
		for (const name of names) if (name.endsWith('.part')) await rm(join(this.#path, name), { force: true })
		const base = numbers('snapshot').at(-1)
		const journals = numbers('journal').filter((number) => number >= (base ?? 1))
		if (base !== undefined)
			this.#snapshotBytes = await readSnapshot(
				this.#file('snapshot', base),
				(change) => this.#replayed(change, change.request),
				(table, leaves) => this.#database.addLeaves(table, leaves),
			)
		else if (names.includes('journal')) return this.#convert(join(this.#path, 'journal'))
		const first = base ?? 1
		for (const [at, number] of journals.entries())
			if (number !== first + at) throw damaged(this.#path, `the file journal-${first + at} is missing`)
		if (base !== undefined && journals.length === 0) throw damaged(this.#path, `the file journal-${base} is missing`)
		await this.#readJournals(journals)
		await this.#drop(first)
	}

	async #readJournals(journals: readonly number[]): Promise<void> {
		const last = journals.at(-1)
		if (last === undefined) return this.#begin(1)
		for (const number of journals) {
			const path = this.#file('journal', number)
			const { end, size } = await readRecords(path, (head, body) => this.#replayed(head, body))
			if (number !== last) {
				if (end !== size) throw damaged(path, `it ends within a record, and journal-${number + 1} follows`)
				continue
			}
			if (end < size)
				this.#database.say(
					`${path}: ${size - end} bytes of a write that was not finished, and not acknowledged, are cut off`,
				)
			if (end === 0) {
				await rm(path)
				return this.#begin(number)
			}
			const file = await open(path, 'a', 0o600)
			if (end < size) await file.truncate(end)
			this.#generation = number
			this.#journal = new Journal(file, end)
		}
	}

	async #begin(generation: number): Promise<void> {
		const file = await createFile(this.#file('journal', generation))
		await file.datasync()
		await syncDirectory(this.#path)
		this.#generation = generation
		this.#journal = new Journal(file, 0)
	}

	async #replayed({ method, user }: Head, body: Buffer): Promise<void> {
		if (!this.#database.changesRows(method)) this.#changes.push({ method, user, request: Buffer.from(body) })
		await this.#database.replay(method, user, body)
	}

	/** A directory of the first version becomes one of this version. */
	async #convert(path: string): Promise<void> {
		await readVersion1(path, (head, body) => this.#replayed(head, body))
		await rm(this.#file('journal', 1), { force: true })
		await this.#begin(1)
		await this.#writeSnapshot(1, { changes: this.#changes, tables: this.#database.tables() })
		await rm(path)
		this.#database.say(`${this.#path} was written by an older ydb-emulator and is converted to format ${FORMAT}`)
	}

	/** Keeps a change that has just happened, in the turn in which it happened. Done when it is on the disk. */
	append(method: string, user: string, request: Uint8Array): Promise<void> {
		if (!this.#database.changesRows(method)) this.#changes.push({ method, user, request: Buffer.from(request) })
		const kept = this.#journal.append(method, user, request)
		if (this.#journal.size > Math.max(this.#leastJournal, this.#snapshotBytes / 2)) this.#compacting ??= this.#compact()
		return kept
	}

	/** The state and the switch of the journal belong to one moment: no change comes between. */
	async #compact(): Promise<void> {
		const generation = ++this.#generation
		const state = { changes: this.#changes.slice(), tables: this.#database.tables() }
		try {
			await this.#journal.switchTo(this.#file('journal', generation))
			await this.#writeSnapshot(generation, state)
			await this.#drop(generation)
		} catch (error) {
			if (!this.#stop.signal.aborted)
				this.#database.say(
					`no snapshot was written, the journal stays: ${error instanceof Error ? error.message : error}`,
				)
		} finally {
			this.#compacting = undefined
		}
	}

	async #writeSnapshot(generation: number, state: State): Promise<void> {
		this.#snapshotBytes = await writeSnapshot(this.#file('snapshot', generation), state, this.#stop.signal)
	}

	/** Removes what a snapshot has made superfluous. */
	async #drop(before: number): Promise<void> {
		for (const name of await readdir(this.#path)) {
			const number = /^(?:snapshot|journal)-(\d+)$/.exec(name)?.[1]
			if ((number !== undefined && Number(number) < before) || name === 'journal') await rm(join(this.#path, name))
		}
	}

	async close(): Promise<void> {
		this.#stop.abort()
		await this.#compacting
		await this.#journal.close()
		await this.#unlock()
	}
}
