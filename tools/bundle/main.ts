// The command line as a bundle: node tools/bundle/main.ts DIRECTORY.
import { resolve } from 'node:path'
import { bundleCli } from './bundle.ts'

const [directory] = process.argv.slice(2)
if (directory === undefined) throw new Error('usage: node tools/bundle/main.ts DIRECTORY')
await bundleCli(resolve(directory))
