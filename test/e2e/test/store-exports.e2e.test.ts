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
		name: 'sealed',
		compression: 'zstd-3',
		encryption: ENCRYPTED,
		flags: ['--encryption-algorithm', 'aes-256-gcm', '--compression', 'zstd-3'],
	},
]

/** An export holds objects and no directories. */
const tablesOf = (picture: Picture): Picture => new Map([...picture].filter(([, { kind }]) => kind === 'table'))

function environmentOf(
	{ endpoint, credential }: S3Server,
	key: string | undefined,
): { url: (prefix: string) => string; env: NodeJS.ProcessEnv } {
	const url = (prefix: string): string => `s3://bucket/${prefix}?endpoint=${encodeURIComponent(endpoint)}`
	return {
		url,
		env: {
			AWS_ACCESS_KEY_ID: credential.accessKeyId,
			AWS_SECRET_ACCESS_KEY: credential.secretAccessKey,
			YDBACKUP_REPO: url('repo'),
			...(key !== undefined && { YDB_ENCRYPTION_KEY_FILE: key }),
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

test('what the cluster exports is what the rules demand, and ydbackup restores it', { timeout: 180_000 }, async () => {
	await using world = await createWorld({ faults: { ...FAULTS, exportPartBytes: 4096 } })
	await using store = await startS3Server({ minPartBytes: 1 })
	await world.seed(200)
	const before = tablesOf(await theirPicture(world.endpoint, world.database))
	using operations = new StoreOperations(world.endpoint, world.database)
	for (const { name, compression, encryption } of WAYS)
		await operations.export({
			...placeOf(store, 'bucket'),
			destinationPrefix: name,
			compression,
			...(encryption && { encryptionSettings: encryption }),
		})
	await dropEverything(world.endpoint, world.database)
	for (const { name, encryption } of WAYS) {
		expect(await problemsOf(store, name, encryption !== undefined)).toEqual([])
		const { url, env } = environmentOf(store, encryption && (await keyIn(world)))
		const words = ['restore', '--from', url(name), '--verify-data', '--to', `${world.database}/${name}`]
		const restored = await world.runOnDatabase(words, { env })
		expect(restored, restored.stdout + restored.stderr).toMatchObject({ code: 0, result: { outcome: 'complete' } })
		const after = await theirPicture(world.endpoint, world.database)
		expect(differences(before, tablesOf(below(after, name)))).toEqual([])
	}
})

test('what ydbackup stores is imported by the cluster', { timeout: 180_000 }, async () => {
	await using world = await createWorld({ faults: FAULTS })
	await using store = await startS3Server()
	await world.seed(200)
	const before = tablesOf(await theirPicture(world.endpoint, world.database))
	const key = await keyIn(world)
	const { env } = environmentOf(store, undefined)
	expect(await world.run(['repo', 'init'], { env })).toMatchObject({ code: 0 })
	const ids: string[] = []
	for (const { encryption, flags } of WAYS) {
		const { env } = environmentOf(store, encryption && key)
		const created = await world.runOnDatabase(['backup', 'create', ...flags], { env })
		expect(created, created.stderr).toMatchObject({ code: 0 })
		ids.push(created.result.id)
	}
	using operations = new StoreOperations(world.endpoint, world.database)
	for (const [at, { name, encryption }] of WAYS.entries()) {
		await operations.import({
			...placeOf(store, 'bucket'),
			sourcePrefix: `repo/backups/${ids[at]}`,
			destinationPath: `${world.database}/${name}`,
			...(encryption && { encryptionSettings: encryption }),
		})
		const after = await theirPicture(world.endpoint, world.database)
		expect(differences(before, tablesOf(below(after, name)))).toEqual([])
	}
})
