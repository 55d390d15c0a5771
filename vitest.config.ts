import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

export default defineConfig({
	test: {
		// Most of the long ones wait for processes and servers; with a worker per core but one, as is the default, two cores would be idle half of the time.
		maxWorkers: Math.max(3, availableParallelism()),
		projects: [
			'packages/*/vitest.config.ts',
			'plugins/*/vitest.config.ts',
			'apps/*/vitest.config.ts',
			'test/*/vitest.config.ts',
			'examples/*/vitest.config.ts',
		],
	},
})
