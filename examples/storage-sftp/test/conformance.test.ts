import { conformance } from '@ydbackup/driver-conformance/vitest'
import type { Storage } from '@ydbackup/core'
import { afterAll } from 'vitest'
import driver from '../src/index.ts'
import { OPENSSH, startSftpServer } from './server/index.ts'

for (const [name, sftpServer] of [
	['our server', undefined],
	['the server of OpenSSH', OPENSSH],
] as const) {
	if (name !== 'our server' && sftpServer === undefined) continue
	const server = await startSftpServer({ sftpServer })
	afterAll(() => server[Symbol.asyncDispose]())
	// The process that is killed has the environment of this one.
	process.env['YDBACKUP_SFTP_PASSWORD'] = server.password
	const open = (more: Readonly<Record<string, string>> = {}, password = server.password): Promise<Storage> =>
		driver.open(server.url('deep/repository', more), {
			environment: { YDBACKUP_SFTP_PASSWORD: password },
			writable: more['user'] !== 'reader',
		})
	conformance(`sftp on ${name}`, {
		open: ({ signal }) =>
			driver.open(server.url('deep/repository'), {
				environment: { YDBACKUP_SFTP_PASSWORD: server.password },
				writable: true,
				signal,
			}),
		level: 'full',
		plan: {
			largeBytes: (9 << 20) + 1,
			listed: [0, 1, 999, 1001],
			raceRounds: 5,
			workloadMs: 2000,
			memoryBytes: 64 << 20,
			speedMs: 0,
		},
		secrets: [server.password],
		openRefused: () => open({}, 'wrong horse'),
		openReadOnly: () => open({ user: 'reader' }),
		process: { driver: new URL('../src/index.ts', import.meta.url).href, location: server.url('deep/repository').href },
	})
}
