import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { StorageJob } from './storage-job.ts'

const COMMAND = process.env['RCLONE'] ?? 'rclone'

/** The version of rclone where it is installed. */
export async function rcloneVersion(): Promise<string | undefined> {
	try {
		const { stdout } = await promisify(execFile)(COMMAND, ['version'], { timeout: 10_000 })
		return /^rclone (\S+)/u.exec(stdout)?.[1]
	} catch {
		return undefined
	}
}

/**
 * Seconds that rclone takes for the same on the same S3 server, as it comes but for the number of transfers: uploads from files in the cache of the system,
 * downloads of large objects to nowhere, of small ones to files. Starting it is in the time.
 */
export async function rcloneSeconds({
	url,
	what,
	objects,
	objectBytes,
	inFlight,
}: Omit<StorageJob, 'store' | 'how'>): Promise<number> {
	const { hostname, pathname, searchParams } = new URL(url)
	const remote = `:s3:${hostname}${pathname}/rclone/${objectBytes}`
	const directory = await mkdtemp(join(tmpdir(), 'ydbackup-rclone-'))
	try {
		if (what === 'put') {
			const bytes = Buffer.alloc(objectBytes, 'ydbackup')
			for (let at = 0; at < objects; at++) await writeFile(join(directory, String(at)), bytes)
		}
		const words =
			what === 'put' ? ['copy', directory, remote] : objects <= 16 ? ['cat', remote] : ['copy', remote, directory]
		const begin = performance.now()
		const child = spawn(
			COMMAND,
			[
				...words,
				'--transfers',
				String(inFlight),
				'--checkers',
				String(inFlight),
				'--config',
				'/dev/null',
				'--no-check-dest',
			],
			{
				stdio: ['ignore', 'ignore', 'pipe'],
				timeout: 600_000,
				env: {
					...process.env,
					// Its transport takes none.
					AWS_CA_BUNDLE: undefined,
					RCLONE_S3_PROVIDER: 'Ceph',
					RCLONE_S3_ENV_AUTH: 'true',
					RCLONE_S3_ENDPOINT: searchParams.get('endpoint') ?? '',
					RCLONE_S3_NO_CHECK_BUCKET: 'true',
				},
			},
		)
		let said = ''
		child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
		const [code] = (await once(child, 'close')) as [number | null]
		if (code !== 0) throw new Error(`rclone ${words[0]} ended with ${code}: ${said.slice(-500)}`)
		return (performance.now() - begin) / 1000
	} finally {
		await rm(directory, { recursive: true, force: true })
	}
}
