import { type ConformanceOptions, type OpenStore, runConformance } from '@ydbackup/driver-conformance'
import { conformance } from '@ydbackup/driver-conformance/vitest'
import { afterAll, expect, test } from 'vitest'
import driver from '../src/index.ts'
import { OPENSSH, PASSWORD, type SftpServer, startSftpServer } from './server/index.ts'

// The process that is killed has the environment of this one.
process.env['YDBACKUP_SFTP_PASSWORD'] = PASSWORD

function optionsFor(server: SftpServer): ConformanceOptions {
	const opens =
		(user: 'writer' | 'reader', password = PASSWORD): OpenStore =>
		({ signal }) =>
			driver.open(server.url('deep/repository', { user }), {
				environment: { YDBACKUP_SFTP_PASSWORD: password },
				writable: user === 'writer',
				signal,
			})
	return {
		open: opens('writer'),
		level: 'full',
		// A server of SFTP gives a directory in one answer or a few: a listing has no pages that a thousand keys would fill.
		plan: {
			listed: [0, 1, 101],
			largeBytes: (9 << 20) + 1,
			raceRounds: 5,
			workloadMs: 2000,
			memoryBytes: 64 << 20,
			speedMs: 0,
		},
		secrets: [PASSWORD],
		openRefused: opens('writer', 'wrong horse'),
		openReadOnly: opens('reader'),
		process: { driver: new URL('../src/index.ts', import.meta.url).href, location: server.url('deep/repository').href },
	}
}

const server = await startSftpServer()
afterAll(() => server[Symbol.asyncDispose]())
conformance('sftp on our server', optionsFor(server))

test('the contract holds on the server of OpenSSH', { timeout: 300_000 }, async ({ skip, signal }) => {
	skip(OPENSSH === undefined, 'no sftp-server of OpenSSH is installed on this machine')
	await using theirs = await startSftpServer({ sftpServer: OPENSSH })
	const { claims, isConforming } = await runConformance({ ...optionsFor(theirs), signal })
	expect(claims.filter(({ outcome }) => outcome === 'failed')).toEqual([])
	expect(isConforming).toBe(true)
})
