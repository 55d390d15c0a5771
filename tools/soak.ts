import { spawnSync } from 'node:child_process'

/** The model tests with many more runs than `npm test` has time for: `npm run soak -- 5000`. */
const runs = process.argv[2] ?? '2000'
const rooms = ['--project', 'e2e', '--project', 'engine', '--project', 'emulator']
const files = ['model', 'engine/test/chain', 'engine/test/collection']
const { status } = spawnSync(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', ...rooms, ...files], {
	stdio: 'inherit',
	env: { ...process.env, SOAK_RUNS: runs, SOAK: '1' },
})
process.exit(status ?? 1)
