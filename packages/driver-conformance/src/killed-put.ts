import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Trial } from './claim.ts'
import { demand } from './expect.ts'

/** Has another process begin a put of a key, and kills it in the middle. */
export async function killedPut({ options, plan, prefix, signal }: Trial, key: string): Promise<void> {
	const { driver, location } = options.process!
	const script = new URL(
		import.meta.url.endsWith('.ts') ? './putting-process.ts' : './putting-process.js',
		import.meta.url,
	)
	const conditions = process.execArgv.flatMap((argument, index, all) => {
		if (/^(?:-C|--conditions)=/.test(argument)) return [argument]
		return argument === '-C' || argument === '--conditions' ? [argument, all[index + 1] ?? ''] : []
	})
	const child = spawn(
		process.execPath,
		[...conditions, fileURLToPath(script), driver, location, prefix + key, String(plan.largeBytes)],
		{ stdio: ['ignore', 'pipe', 'pipe'], signal, killSignal: 'SIGKILL' },
	)
	let said = ''
	let complaint = ''
	child.stdout.setEncoding('utf8').on('data', (text: string) => {
		said += text
		if (said.includes('half')) child.kill('SIGKILL')
	})
	child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint = (complaint + text).slice(-2000)))
	const timer = setTimeout(() => child.kill('SIGKILL'), plan.claimMs / 2)
	await new Promise<void>((resolve) => child.once('error', () => resolve()).once('close', () => resolve()))
	clearTimeout(timer)
	demand(said.includes('half'), `the process that puts never reached the middle of its body. ${complaint}`.trim())
}
