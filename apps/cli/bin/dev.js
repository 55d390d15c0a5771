#!/usr/bin/env -S node --conditions=@ydbackup/source
import { fileURLToPath } from 'node:url'
import pjson from '../package.json' with { type: 'json' }
import { main } from '../src/main.ts'

const commands = { ...pjson.oclif.commands, target: './src/commands/index.ts' }
const code = await main({
	argv: process.argv.slice(2),
	root: fileURLToPath(new URL('..', import.meta.url)),
	pjson: { ...pjson, oclif: { ...pjson.oclif, commands } },
})
process.stdout.write('', () => process.exit(code))
