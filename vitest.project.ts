import { availableParallelism } from 'node:os'
import { basename, join } from 'node:path'
import { defineProject, type UserWorkspaceConfig } from 'vitest/config'

const conditions = ['@ydbackup/source']

// Workers, and the processes that tests start, load the same modules a thousand times: what was compiled once is kept.
process.env['NODE_COMPILE_CACHE'] ??= join(import.meta.dirname, 'node_modules/.cache/compiled')

/**
 * The one shape every room's tests have: source instead of dist, and type tests next to runtime tests. With `runsCli` the command
 * that they run in processes is there as a bundle of its source, in `YDBACKUP_TEST_CLI`.
 */
export function roomTests(root: string, { runsCli = false } = {}): UserWorkspaceConfig {
	return defineProject({
		root,
		resolve: { conditions },
		ssr: { resolve: { conditions, externalConditions: conditions } },
		test: {
			name: basename(root),
			include: ['test/**/*.test.ts'],
			setupFiles: [join(import.meta.dirname, 'vitest.environment.ts')],
			globalSetup: runsCli ? [join(import.meta.dirname, 'tools/bundle/test-setup.ts')] : [],
			// Modules keep no state between tests: those that a worker has loaded serve all its files, which halves the CPU of a run.
			isolate: false,
			// A project knows nothing of its root's number, and with a worker per core but one, as is the default, half of two cores would be idle.
			maxWorkers: availableParallelism(),
			// A busy machine takes its time, and troubles that are asked for more.
			testTimeout: process.env['YDBACKUP_TEST_FAULTS'] ? 180_000 : 90_000,
			hookTimeout: 90_000,
			typecheck: { enabled: true, include: ['test/**/*.test-d.ts'], tsconfig: './tsconfig.test.json' },
		},
	})
}
