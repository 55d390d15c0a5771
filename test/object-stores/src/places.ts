import { startAzurite } from './azure/index.ts'
import { keyFile, startGcsServer } from './gcs/index.ts'
import { startS3Server } from './s3/server.ts'

/** A prefix of an object store that a repository can live at, and what a user would have in the environment for it. */
export interface Place extends AsyncDisposable {
	readonly url: string
	readonly env: Readonly<Record<string, string>>
	/** What must never be printed. */
	readonly secrets: readonly string[]
}

/** Starts a server on the loopback and makes a bucket on it. Disposing stops the server. */
export const places: Readonly<Record<'s3' | 'gcs' | 'azure', () => Promise<Place>>> = {
	async s3() {
		const server = await startS3Server({ buckets: [{ name: 'backups' }] })
		const { accessKeyId, secretAccessKey } = server.credential
		return {
			url: `s3://backups/ydb?endpoint=${encodeURIComponent(server.endpoint)}`,
			env: { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey },
			secrets: [secretAccessKey],
			[Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
		}
	},

	async gcs() {
		const stack = new AsyncDisposableStack()
		const server = stack.use(await startGcsServer({}))
		const account = server.account()
		const file = stack.use(await keyFile(account))
		return {
			url: `gs://bucket/ydb?endpoint=${encodeURIComponent(server.url)}`,
			env: { GOOGLE_APPLICATION_CREDENTIALS: file.path },
			secrets: ['PRIVATE KEY'],
			[Symbol.asyncDispose]: () => stack.disposeAsync(),
		}
	},

	async azure() {
		const server = await startAzurite()
		await server.createContainer('backups')
		return {
			url: `az://backups/ydb?endpoint=${encodeURIComponent(`${server.url}/devstoreaccount1`)}`,
			env: server.environment,
			secrets: Object.values(server.environment).filter((text) => text.length > 20),
			[Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
		}
	},
}
