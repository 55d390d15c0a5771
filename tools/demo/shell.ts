import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

const BIN = new URL('../../node_modules/.bin/', import.meta.url).pathname
const environment = (): NodeJS.ProcessEnv => ({ ...process.env, PATH: `${BIN}:${process.env['PATH']}` })

const shown = (words: readonly string[]): string =>
	words.map((word) => (/^[\w./:=@-]+$/.test(word) ? word : `'${word}'`)).join(' ')

export interface Ran {
	readonly stdout: string
	readonly seconds: number
}

/** Runs a command as a user would, prints it and its output, and throws when it exits with another code than expected. */
export async function run(words: readonly string[], { quiet = false, code = 0, limitMs = 300_000 } = {}): Promise<Ran> {
	if (!quiet) console.log(`\n\u001b[1m$ ${shown(words)}\u001b[0m`)
	const started = performance.now()
	const child = spawn(words[0]!, words.slice(1), {
		env: environment(),
		stdio: ['ignore', 'pipe', 'inherit'],
		signal: AbortSignal.timeout(limitMs),
	})
	let stdout = ''
	child.stdout.setEncoding('utf8').on('data', (text: string) => {
		stdout += text
		if (!quiet) process.stdout.write(text)
	})
	const { promise, resolve, reject } = Promise.withResolvers<number | null>()
	child.once('error', reject).once('close', resolve)
	const exit = await promise
	if (exit !== code) throw new Error(`${shown(words)} exited with ${exit} instead of ${code}`)
	return { stdout, seconds: (performance.now() - started) / 1000 }
}

/** Starts a server, and resolves with the match of its output as soon as it fits. */
export async function start(
	words: readonly string[],
	ready: RegExp,
): Promise<{ child: ChildProcess; match: RegExpMatchArray }> {
	console.log(`\n\u001b[1m$ ${shown(words)} &\u001b[0m`)
	const child = spawn(words[0]!, words.slice(1), { env: environment(), stdio: ['ignore', 'pipe', 'inherit'] })
	const { promise, resolve, reject } = Promise.withResolvers<RegExpMatchArray>()
	const timer = setTimeout(() => reject(new Error(`${words[0]} is not ready after 20 s`)), 20_000)
	child.once('error', reject).once('exit', (exit) => reject(new Error(`${words[0]} exited with ${exit}`)))
	let said = ''
	createInterface({ input: child.stdout }).on('line', (line) => {
		console.log(line)
		said += `${line}\n`
		const match = said.match(ready)
		if (match) resolve(match)
	})
	try {
		return { child, match: await promise }
	} catch (error) {
		child.kill('SIGKILL')
		throw error
	} finally {
		clearTimeout(timer)
	}
}

export async function stop(child: ChildProcess): Promise<void> {
	if (child.exitCode !== null) return
	const { promise, resolve } = Promise.withResolvers<void>()
	child.once('exit', () => resolve())
	child.kill('SIGTERM')
	const timer = setTimeout(() => child.kill('SIGKILL'), 5_000)
	await promise
	clearTimeout(timer)
}
