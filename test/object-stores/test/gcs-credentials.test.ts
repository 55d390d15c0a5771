import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import driver from '@ydbackup/storage-gcs/driver'
import { expect, test } from 'vitest'
import { startGcsServer } from '../src/gcs/index.ts'
import { failure } from './gcs-room.ts'

test('the default credentials of a machine of Google are found, and asked for again when they were taken back', async () => {
	await using server = await startGcsServer()
	const { client_email } = server.account()
	let asked = 0
	const metadata = createServer((request, response) => {
		response.setHeader('Metadata-Flavor', 'Google')
		const isToken = request.url?.includes('/service-accounts/default/token') === true
		if (isToken) asked++
		response.setHeader('Content-Type', 'application/json')
		response.end(
			isToken
				? JSON.stringify({ access_token: server.issueToken(client_email), expires_in: 3600, token_type: 'Bearer' })
				: request.url?.includes('universe') === true
					? 'googleapis.com'
					: '{}',
		)
	})
	await new Promise<void>((resolve) => metadata.listen(0, '127.0.0.1', resolve))
	process.env['GCE_METADATA_HOST'] = `127.0.0.1:${(metadata.address() as AddressInfo).port}`
	process.env['HOME'] = '/nowhere'
	delete process.env['GOOGLE_APPLICATION_CREDENTIALS']
	try {
		const location = new URL(`gs://bucket/x?endpoint=${server.url}`)
		await using storage = await driver.open(location, { environment: {}, writable: true })
		await storage.put('k', Buffer.from('k'))
		expect(asked).toBe(1)
		server.revokeTokens()
		expect((await storage.stat('k'))?.size).toBe(1)
		expect(asked).toBe(2)
	} finally {
		metadata.closeAllConnections()
		metadata.close()
	}
})

test('a file of another kind goes to the SDK, and what it says of it is told', async () => {
	await using server = await startGcsServer()
	const directory = await mkdtemp(join(tmpdir(), 'gcs-credentials-'))
	try {
		for (const [at, content] of [
			'{"type":"something"}',
			'[]',
			'{"type":"service_account"}',
			'{"private_key": "canary',
		].entries()) {
			const path = join(directory, `${at}.json`)
			await writeFile(path, content)
			process.env['GOOGLE_APPLICATION_CREDENTIALS'] = path
			const location = new URL(`gs://bucket/x?endpoint=${server.url}`)
			const error = await failure(
				driver.open(location, { environment: { GOOGLE_APPLICATION_CREDENTIALS: path }, writable: true }),
			)
			expect(error).toMatchObject({ code: 'STORAGE_PERMISSION', reason: 'credentials', retry: 'no' })
			expect(error.message).not.toContain('canary')
		}
	} finally {
		await rm(directory, { recursive: true, force: true })
	}
})
