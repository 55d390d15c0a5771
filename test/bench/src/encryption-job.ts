// Backups of the same rows in turns, open and encrypted, in one process: node encryption-job.ts '<json>'. Prints one line of JSON.
import { backup, deleteBackups } from '@ydbackup/engine'
import { connect, parseConnectionString } from '@ydbackup/ydb'
import { measure } from './measure.ts'
import { openRepository } from './repository.ts'

export interface EncryptionJob {
	readonly connection: string
	readonly repo: string
	/** After a first one that is not counted. */
	readonly rounds: number
	readonly algorithms: readonly string[]
}

export interface EncryptionCosts {
	/** CPU seconds of each round by algorithm, and of `open`. */
	readonly costs: Readonly<Record<string, readonly number[]>>
	readonly storedBytes: number
}

const { connection, repo, rounds, algorithms } = JSON.parse(process.argv[2]!) as EncryptionJob
const repository = await openRepository(repo)
await using ydb = await connect({ ...parseConnectionString(connection), credentials: { kind: 'anonymous' } })
const signal = AbortSignal.timeout(900_000)
const costs: Record<string, number[]> = {}
let storedBytes = 0

async function take(name: string): Promise<number> {
	const key = { name: 'the bench', getKey: async () => new Uint8Array(name === 'aes-128-gcm' ? 16 : 32) }
	const encryption = name === 'open' ? undefined : { keys: [key], algorithm: name }
	let id = ''
	const { cpu } = await measure(async () => {
		const tool = { name: 'bench', version: '0' }
		const { source } = ydb
		const done = await backup({
			source,
			repository,
			paths: ['bench'],
			compression: 'zstd-1',
			encryption,
			tool,
			signal,
			onEvent() {},
		})
		id = done.id
		storedBytes = done.storedBytes
	})
	await deleteBackups({ repository, ids: [id], signal, onEvent() {} })
	return cpu
}

for (let round = 0; round <= rounds; round++) {
	for (const name of ['open', ...algorithms]) {
		const cpu = await take(name)
		if (round > 0) (costs[name] ??= []).push(cpu)
	}
}
process.stdout.write(`${JSON.stringify({ costs, storedBytes } satisfies EncryptionCosts)}\n`)
