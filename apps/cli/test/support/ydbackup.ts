import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const DEV = process.env['YDBACKUP_TEST_CLI'] ?? fileURLToPath(new URL('../../bin/dev.js', import.meta.url))

export interface Ran {
	readonly code: number | null
	readonly stdout: string
	readonly stderr: string
	/** What stdout holds, when it was asked for as JSON. */
	readonly document: { readonly command: string; readonly result?: any; readonly error?: any } // oxlint-disable-line typescript/no-explicit-any -- schemas judge it, not types
}

export interface RunOptions {
	readonly env?: NodeJS.ProcessEnv
	readonly onStart?: (child: ChildProcess) => void
	/** Sees stderr while it grows. */
	readonly onError?: (text: string, child: ChildProcess) => void
}

/** Runs the command from source in a process of its own, for a minute at most. */
export async function ydbackup(
	words: readonly string[],
	{ env = {}, onStart, onError }: RunOptions = {},
): Promise<Ran> {
	const child = spawn(process.execPath, ['--conditions=@ydbackup/source', DEV, ...words], {
		env: {
			PATH: process.env['PATH'],
			NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'],
			HOME: '/nonexistent',
			...env,
		},
		stdio: ['ignore', 'pipe', 'pipe'],
	})
	const timer = setTimeout(() => child.kill('SIGKILL'), 60_000)
	onStart?.(child)
	let stdout = ''
	let stderr = ''
	child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
	child.stderr.setEncoding('utf8').on('data', (text: string) => {
		stderr += text
		onError?.(stderr, child)
	})
	const { promise, resolve, reject } = Promise.withResolvers<number | null>()
	child.once('error', reject).once('close', resolve)
	const code = await promise
	clearTimeout(timer)
	const isJson = words.includes('--json') && code !== null
	if (isJson && stdout.indexOf('\n') !== stdout.length - 1)
		throw new Error(`not one line of JSON:\n${stdout}\n${stderr}`)
	return { code, stdout, stderr, document: isJson ? (JSON.parse(stdout) as Ran['document']) : { command: '' } }
}
