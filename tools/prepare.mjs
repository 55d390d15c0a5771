// Builds after `npm ci`, so that the bins work at once. Plain JavaScript, and no more than a call: `npm ci` runs it under the system's Node.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

if (existsSync('node_modules/.bin/tsc')) {
	const { status } = spawnSync('node_modules/.bin/tsc', ['--build'], {
		stdio: 'inherit',
		shell: process.platform === 'win32',
	})
	process.exitCode = status ?? 1
}
