import { basename } from 'node:path'
import { defineProject, type UserWorkspaceConfig } from 'vitest/config'

const conditions = ['@ydbackup/source']

/** The one shape every room's tests have: source instead of dist, and type tests next to runtime tests. */
export function roomTests(root: string): UserWorkspaceConfig {
	return defineProject({
		root,
		resolve: { conditions },
		ssr: { resolve: { conditions, externalConditions: conditions } },
		test: {
			name: basename(root),
			include: ['test/**/*.test.ts'],
			// Troubles that are asked for take their time.
			testTimeout: process.env['YDBACKUP_TEST_FAULTS'] ? 180_000 : 30_000,
			hookTimeout: 90_000,
			typecheck: { enabled: true, include: ['test/**/*.test-d.ts'], tsconfig: './tsconfig.test.json' },
		},
	})
}
