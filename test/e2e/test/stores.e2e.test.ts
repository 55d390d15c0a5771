import { expect, test } from 'vitest'
import { differences } from '../../../tools/demo/picture.ts'
import { dropEverything, theirPicture } from '../../../tools/demo/their-reader.ts'
import { startAzurite } from '../../object-stores/src/azure/index.ts'
import { keyFile, startGcsServer } from '../../object-stores/src/gcs/index.ts'
import { startS3Server } from '../../object-stores/src/s3/server.ts'
import { createWorld } from '../src/world.ts'

interface Place extends AsyncDisposable {
	readonly url: string
	readonly env: Readonly<Record<string, string>>
}

const PLACES: Readonly<Record<string, () => Promise<Place>>> = {
	async s3() {
		const server = await startS3Server({ buckets: [{ name: 'backups' }] })
		const { accessKeyId, secretAccessKey } = server.credential
		return {
			url: `s3://backups/ydb?endpoint=${encodeURIComponent(server.endpoint)}`,
			env: { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey },
			[Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
		}
	},
	async gcs() {
		const stack = new AsyncDisposableStack()
		const server = stack.use(await startGcsServer({}))
		const file = stack.use(await keyFile(server.account()))
		return {
			url: `gs://bucket/ydb?endpoint=${encodeURIComponent(server.url)}`,
			env: { GOOGLE_APPLICATION_CREDENTIALS: file.path },
			[Symbol.asyncDispose]: () => stack.disposeAsync(),
		}
	},
	async azure() {
		const server = await startAzurite()
		await server.createContainer('backups')
		return {
			url: `az://backups/ydb?endpoint=${encodeURIComponent(`${server.url}/devstoreaccount1`)}`,
			env: server.environment,
			[Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
		}
	},
}

test.each(Object.entries(PLACES))('what was dropped comes back from %s', { timeout: 120_000 }, async (_, open) => {
	await using place = await open()
	await using world = await createWorld()
	await world.seed(2000)
	const env = { ...place.env, YDBACKUP_REPO: place.url }
	const before = await theirPicture(world.endpoint, world.database)
	expect(await world.run(['repo', 'init'], { env })).toMatchObject({ code: 0 })
	const created = await world.runOnDatabase(['backup', 'create'], { env })
	expect(created).toMatchObject({ code: 0 })
	expect((await world.run(['backup', 'list'], { env })).result.backups).toHaveLength(1)
	expect(await world.run(['backup', 'verify', 'latest', '--level', 'full'], { env })).toMatchObject({ code: 0 })
	await dropEverything(world.endpoint, world.database)
	expect(await world.runOnDatabase(['restore', 'latest', '--verify-data'], { env })).toMatchObject({ code: 0 })
	expect(differences(before, await theirPicture(world.endpoint, world.database))).toEqual([])
	for (const secret of Object.values(place.env).filter((text) => text.length > 20 && !text.startsWith('/')))
		expect(created.stdout + created.stderr).not.toContain(secret)
})
