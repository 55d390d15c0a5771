import { spawn } from 'node:child_process'
import { BackupError, interruption } from '@ydbackup/core'
import { withoutSecrets } from '../output/secrets.ts'

const LIMIT_MS = 600_000
const MOST_OUTPUT = 4000

/** Runs the user's own npm in a directory, without a shell. Errors: `CONFIG_INVALID` when there is no npm, `DRIVER_INVALID` with what npm said. */
export async function npm(words: readonly string[], directory: string, signal: AbortSignal): Promise<void> {
	const doing = `npm ${words.join(' ')}`
	const limit = AbortSignal.timeout(LIMIT_MS)
	const child = spawn('npm', [...words, '--no-audit', '--no-fund', '--no-update-notifier', '--loglevel=error'], {
		cwd: directory,
		stdio: ['ignore', 'pipe', 'pipe'],
		signal: AbortSignal.any([signal, limit]),
	})
	let said = ''
	for (const stream of [child.stdout, child.stderr])
		stream.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-MOST_OUTPUT)))
	const { promise, resolve, reject } = Promise.withResolvers<number | null>()
	child.once('error', reject).once('close', resolve)
	let code: number | null
	try {
		code = await promise
	} catch (error) {
		if (signal.aborted) throw interruption(signal, doing)
		if (limit.aborted) throw new BackupError('DEADLINE_EXCEEDED', `${doing} was not done after 10 minutes`)
		if ((error as { code?: string }).code !== 'ENOENT') throw error
		throw new BackupError('CONFIG_INVALID', 'npm cannot be found', {
			advice: 'install Node.js with npm, or put npm in the PATH; ydbackup installs drivers with your own npm',
			cause: error,
		})
	}
	if (code === 0) return
	throw new BackupError('DRIVER_INVALID', `${doing} failed: ${withoutSecrets(said.trim()) || `exit code ${code}`}`, {
		advice: 'check the name and version of the package, and that its registry can be reached',
	})
}
