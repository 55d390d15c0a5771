import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** The command as its package holds it; outside of vitest, as `npm run build` leaves it. */
export const BIN: string =
	process.env['YDBACKUP_TEST_CLI'] ?? fileURLToPath(new URL('../../../apps/cli/bin/run.js', import.meta.url))

export interface Ran {
	readonly code: number | null
	readonly stdout: string
	readonly stderr: string
	/** The `result` of the JSON document on stdout. */
	readonly result: any // oxlint-disable-line typescript/no-explicit-any -- a test reads whatever it claims to be there
	/** The `error` of the JSON document on stdout. */
	readonly error: { readonly code: string; readonly message: string; readonly advice?: string; readonly retry: string }
}

export interface RunOptions {
	readonly bin?: string
	readonly env?: NodeJS.ProcessEnv
	readonly limitMs?: number
	/** Sees the process while it runs. */
	readonly onStart?: (child: ChildProcess) => void
}

/** Runs ydbackup in a process of its own, bounded. With --json in the words, the document is parsed. */
export async function ydbackup(words: readonly string[], options: RunOptions = {}): Promise<Ran> {
	const { bin = BIN, env = {}, limitMs = 60_000, onStart } = options
	const child = spawn(process.execPath, [bin, ...words], {
		env: {
			PATH: process.env['PATH'],
			NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'],
			HOME: process.env['HOME'],
			NO_COLOR: '1',
			...env,
		},
		stdio: ['ignore', 'pipe', 'pipe'],
	})
	const timer = setTimeout(() => child.kill('SIGKILL'), limitMs)
	onStart?.(child)
	let stdout = ''
	let stderr = ''
	child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
	child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
	const { promise, resolve, reject } = Promise.withResolvers<number | null>()
	child.once('error', reject).once('close', resolve)
	const code = await promise
	clearTimeout(timer)
	if (!words.includes('--json') || child.signalCode !== null)
		return { code, stdout, stderr, result: undefined, error: undefined as never }
	const { result, error } = JSON.parse(stdout) as Pick<Ran, 'result' | 'error'>
	return { code, stdout, stderr, result, error }
}
