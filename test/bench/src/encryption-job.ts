// The data path of a backup, from rows in memory to a file, in turns open and encrypted: node encryption-job.ts '<json>'. Prints one line of JSON.
import { randomBytes } from 'node:crypto'
import { encryption, type FileEncryptor } from '@ydbackup/format'
import { uploadPart } from '../../../packages/engine/src/part/upload-part.ts'
import { measure, median } from './measure.ts'
import { openRepository } from './repository.ts'
import { benchTables } from './tables.ts'

export interface EncryptionJob {
	/** The directory of a repository; what is stored in it is deleted again. */
	readonly repo: string
	/** Of rows that each turn stores. */
	readonly turnBytes: number
	/** After a first one that is not counted. */
	readonly turns: number
	readonly algorithms: readonly string[]
}

export interface EncryptionCosts {
	/** CPU seconds of each turn by algorithm, and of `open`. */
	readonly costs: Readonly<Record<string, readonly number[]>>
	/** Seconds that the sealing of one GB takes, by algorithm: the median of all blocks. */
	readonly sealing: Readonly<Record<string, number>>
	/** By one turn. */
	readonly storedBytes: number
}

const job = JSON.parse(process.argv[2]!) as EncryptionJob
const { storage } = await openRepository(job.repo)
const signal = AbortSignal.timeout(900_000)
const tables = benchTables(job.turnBytes).map(({ schema, chunks }) => ({ schema, chunks: [...chunks()] }))
const meter = { openPart: () => ({ add() {}, takeBack() {} }), touch() {} }

function encryptorOf(name: string): FileEncryptor | undefined {
	if (name === 'open') return undefined
	const algorithm = encryption.parseAlgorithm(name)
	const key = encryption.createEncryptionKey(randomBytes(algorithm === 'AES-128-GCM' ? 16 : 32), 'the bench')
	const encryptor = encryption.createFileEncryptor({ key, algorithm, iv: encryption.newExportIv(), name })
	return {
		...encryptor,
		begin() {
			const file = encryptor.begin()
			return {
				...file,
				block(bytes) {
					const before = performance.now()
					const pieces = file.block(bytes)
					;(rates[name] ??= []).push((performance.now() - before) / 1000 / (bytes.length / 1e9))
					return pieces
				},
			}
		},
	}
}

const costs: Record<string, number[]> = {}
const rates: Record<string, number[]> = {}
let storedBytes = 0
const names = ['open', ...job.algorithms]
for (let turn = 0; turn <= job.turns; turn++) {
	const spent = new Map(names.map((name) => [name, 0]))
	let stored = 0
	for (const { schema, chunks } of tables) {
		// Whoever goes first in one turn goes last in the next.
		for (let at = 0; at < names.length; at++) {
			const name = names[(at + turn) % names.length]!
			// The path gives its rows away.
			const rows = chunks.map((chunk) => ({ ...chunk, bytes: new Uint8Array(chunk.bytes) }))
			const key = `bench/${name}`
			const { cpu } = await measure(async () => {
				const encryptor = encryptorOf(name)
				const { size } = await uploadPart({
					storage,
					key,
					open: async function* () {
						yield* rows
					},
					schema,
					compression: 'zstd-1',
					encryptor,
					meter,
					signal,
					onRetry() {},
				})
				if (name === 'open') stored += size
			})
			spent.set(name, spent.get(name)! + cpu)
			await storage.delete(key, { signal })
		}
	}
	storedBytes = stored
	if (turn > 0) for (const [name, cpu] of spent) (costs[name] ??= []).push(cpu)
}
const sealing = Object.fromEntries(job.algorithms.map((name) => [name, median(rates[name]!)]))
process.stdout.write(`${JSON.stringify({ costs, sealing, storedBytes } satisfies EncryptionCosts)}\n`)
