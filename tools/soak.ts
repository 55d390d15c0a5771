// npm run soak [-- --runs N] [--only models|demo|e2e] [--many] [--fault TEXT] [FILE…]: what `npm test` has no time for. The model tests with many more runs; the demo
// and the e2e suite under every fault that nobody must notice, alone and many at once. --many chooses the latter, --fault those whose name or words hold
// a text, FILE… those of the suite.
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { MANY, OF_COLLECTIONS, OF_EXPORTS, TROUBLES } from '../test/e2e/src/troubles.ts'

const { values, positionals } = parseArgs({
	allowPositionals: true,
	options: {
		runs: { type: 'string', default: '2000' },
		only: { type: 'string' },
		many: { type: 'boolean', default: false },
		fault: { type: 'string', default: '' },
	},
})
const failed: string[] = []

function run(what: string, words: readonly string[], env: NodeJS.ProcessEnv = {}): void {
	console.log(`\n=== ${what}`)
	const began = performance.now()
	const { status } = spawnSync(process.execPath, words, { stdio: 'inherit', env: { ...process.env, ...env } })
	const seconds = Math.round((performance.now() - began) / 1000)
	console.log(`=== ${what}: ${status === 0 ? 'passed' : 'FAILED'} in ${seconds} s`)
	if (status !== 0) failed.push(what)
}

const suite = (...words: string[]): string[] => ['node_modules/vitest/vitest.mjs', 'run', '--project', 'e2e', ...words]
const models = ['--project', 'engine', '--project', 'emulator', 'model', 'engine/test/chain', 'engine/test/collection']
const isWanted = (part: string): boolean => values.only === undefined || values.only === part

if (isWanted('models')) run('models', suite(...models), { SOAK_RUNS: values.runs, SOAK: '1' })
const alone = values.many ? {} : { ...TROUBLES, ...OF_COLLECTIONS, ...OF_EXPORTS }
for (const [name, text] of Object.entries({ ...alone, ...MANY })) {
	if (!`${name} ${text}`.includes(values.fault)) continue
	const flags = text.split(' ').flatMap((word) => ['--fault', word])
	if (isWanted('demo')) run(`demo: ${name}`, ['tools/demo/main.ts', ...flags])
	if (isWanted('e2e')) run(`e2e: ${name}`, suite(...positionals), { YDBACKUP_TEST_FAULTS: text })
}
if (failed.length > 0) console.error(`\nfailed: ${failed.join(', ')}`)
process.exitCode = failed.length === 0 ? 0 : 1
