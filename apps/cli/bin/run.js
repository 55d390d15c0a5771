#!/usr/bin/env node
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const pjson = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
const argv = process.argv.slice(2)

if (argv.length === 1 && argv[0] === '--version') {
	// By itself: loading the command line costs several times as much.
	console.log(`${pjson.name}/${pjson.version} ${process.platform}-${process.arch} node-${process.version}`)
} else if (Number.parseInt(process.versions.node, 10) < 24) {
	const message = `ydbackup needs Node 24 or newer, and this is ${process.version}`
	const advice = 'install a newer Node, or put the one that npm has installed (node_modules/.bin) first in PATH'
	if (argv.includes('--json'))
		console.log(
			JSON.stringify({ ydbackup: 1, command: '', error: { code: 'UNSUPPORTED', message, advice, retry: 'no' } }),
		)
	else console.error(`error: ${message}\nadvice: ${advice}\ncode: UNSUPPORTED (exit 2)`)
	process.exitCode = 2
} else {
	// A package that was published holds all of it in a few files, which load in half the time.
	const bundle = new URL('../bundle/main.js', import.meta.url)
	const { main } = await import(existsSync(bundle) ? bundle.href : '../dist/main.js')
	const code = await main({ argv, root: fileURLToPath(new URL('..', import.meta.url)), pjson })
	// A connection that was left open must not keep the process alive.
	process.stdout.write('', () => process.exit(code))
}
