import { createSecretKey } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { checkNativeExport } from '@ydbackup/format'
import { below, differences, type Picture } from '../../../tools/demo/picture.ts'
import { dropEverything, theirPicture } from '../../../tools/demo/their-reader.ts'
import { type S3Server, startS3Server } from '../../object-stores/src/s3/server.ts'
import { placeOf, StoreOperations } from '../src/store-operations.ts'
import { createWorld, type World } from '../src/world.ts'

/** The emulator writes Floats as the server does, with fewer digits, unless it is told otherwise. */
const FAULTS = { exactFloats: true, operationDelayMs: 1, storeRetryMinuteMs: 10 }
const KEY = Buffer.from('Key is big enough to be 32 bytes')
const ENCRYPTED = {
	encryptionAlgorithm: 'AES-256-GCM',
	Key: { case: 'symmetricKey' as const, value: { key: KEY } },
}
const WAYS = [
	{ name: 'plain', compression: '', encryption: undefined, flags: [] },
	{
		name: 'encrypted and compressed',
		compression: 'zstd-3',
		encryption: ENCRYPTED,
		flags: ['--encryption-algorithm', 'aes-256-gcm', '--compression', 'zstd-3'],
	},
]

/** An export holds objects and no directories. */
const tablesOf = (picture: Picture): Picture => new Map([...picture].filter(([, { kind }]) => kind === 'table'))

function environmentOf(
	{ endpoint, credential }: S3Server,
	key: string,
): { url: (prefix: string) => string; env: NodeJS.ProcessEnv } {
	return {
		url: (prefix) => `s3://bucket/${prefix}?endpoint=${encodeURIComponent(endpoint)}`,
		env: {
			AWS_ACCESS_KEY_ID: credential.accessKeyId,
			AWS_SECRET_ACCESS_KEY: credential.secretAccessKey,
			YDB_ENCRYPTION_KEY_FILE: key,
		},
	}
}

async function keyIn(world: World): Promise<string> {
	const path = `${world.directory}/key`
	await writeFile(path, KEY)
	return path
}

/** Problems of an export by the rules of YDB's own tools. */
async function problemsOf(store: S3Server, prefix: string, isEncrypted: boolean): Promise<string[]> {
	const names = store.keys('bucket').filter((key) => key.startsWith(`${prefix}/`))
	const bytes = (name: string): Buffer => store.bytes('bucket', `${prefix}/${name}`)!
	const { problems } = await checkNativeExport(
		{
			async *list() {
				for (const key of names) {
					const name = key.slice(prefix.length + 1)
					yield { name, size: bytes(name).length }
				}
			},
			async *read(name) {
				yield bytes(name)
			},
		},
		isEncrypted ? { key: createSecretKey(KEY) } : {},
	)
	return problems.map(({ file, message }) => `${file} ${message}`)
}

test.each(WAYS)(
	'what the cluster exports is what the rules demand, and ydbackup restores it: $name',
	{ timeout: 180_000 },
	async ({ compression, encryption }) => {
		await using world = await createWorld({ faults: { ...FAULTS, exportPartBytes: 4096 } })
		await using store = await startS3Server({ minPartBytes: 1 })
		await world.seed(200)
		const before = tablesOf(await theirPicture(world.endpoint, world.database))
		using operations = new StoreOperations(world.endpoint, world.database)
		await operations.export({
			...placeOf(store, 'bucket'),
			destinationPrefix: 'x',
			compression,
			...(encryption && { encryptionSettings: encryption }),
		})
		expect(await problemsOf(store, 'x', encryption !== undefined)).toEqual([])
		await dropEverything(world.endpoint, world.database)
		const { url, env } = environmentOf(store, encryption ? await keyIn(world) : '')
		const words = ['restore', '--from', url('x'), '--verify-data', '--to', `${world.database}/back`]
		const restored = await world.runOnDatabase(words, {
			env: encryption ? env : { ...env, YDB_ENCRYPTION_KEY_FILE: undefined },
		})
		expect(restored, restored.stdout + restored.stderr).toMatchObject({ code: 0, result: { outcome: 'complete' } })
		const after = await theirPicture(world.endpoint, world.database)
		expect(differences(before, tablesOf(below(after, 'back')))).toEqual([])
	},
)

test.each(WAYS)(
	'what ydbackup stores is imported by the cluster: $name',
	{ timeout: 180_000 },
	async ({ encryption, flags }) => {
		await using world = await createWorld({ faults: FAULTS })
		await using store = await startS3Server()
		await world.seed(200)
		const before = tablesOf(await theirPicture(world.endpoint, world.database))
		const { url, env } = environmentOf(store, await keyIn(world))
		const more = {
			env: { ...env, YDBACKUP_REPO: url('repo'), ...(!encryption && { YDB_ENCRYPTION_KEY_FILE: undefined }) },
		}
		expect(await world.run(['repo', 'init'], more)).toMatchObject({ code: 0 })
		const created = await world.runOnDatabase(['backup', 'create', ...flags], more)
		expect(created, created.stderr).toMatchObject({ code: 0 })
		using operations = new StoreOperations(world.endpoint, world.database)
		await operations.import({
			...placeOf(store, 'bucket'),
			sourcePrefix: `repo/backups/${created.result.id}`,
			destinationPath: `${world.database}/back`,
			...(encryption && { encryptionSettings: encryption }),
		})
		const after = await theirPicture(world.endpoint, world.database)
		expect(differences(before, tablesOf(below(after, 'back')))).toEqual([])
	},
)
