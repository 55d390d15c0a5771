#!/usr/bin/env -S node --conditions=@ydbackup/source
import { fileURLToPath } from 'node:url'
import { execute } from '@oclif/core'
import manifest from '../package.json' with { type: 'json' }

const commands = { ...manifest.oclif.commands, target: './src/commands/index.ts' }
await execute({
	development: true,
	dir: import.meta.url,
	loadOptions: {
		root: fileURLToPath(new URL('..', import.meta.url)),
		pjson: { ...manifest, oclif: { ...manifest.oclif, commands } },
	},
})
