#!/usr/bin/env node
import { readFileSync } from 'node:fs'

const pjson = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
const argv = process.argv.slice(2)

if (argv.length === 1 && argv[0] === '--version') {
	console.log(`${pjson.name}/${pjson.version} ${process.platform}-${process.arch} node-${process.version}`)
} else {
	const [{ main }, { fileURLToPath }] = await Promise.all([import('../dist/main.js'), import('node:url')])
	const code = await main({ argv, root: fileURLToPath(new URL('..', import.meta.url)), pjson })
	// A connection that was left open must not keep the process alive.
	process.stdout.write('', () => process.exit(code))
}
