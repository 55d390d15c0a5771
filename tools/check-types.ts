// Type-checks every test file: vitest strips types, so nothing else would.
import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { dirname } from 'node:path'

let failed = false
for (const config of [
	...globSync('{packages,plugins,apps,test,examples}/*/tsconfig.test.json'),
	'tools/tsconfig.json',
].sort()) {
	const files = config.startsWith('tools') ? ['tools'] : globSync(`${dirname(config)}/test/**/*.ts`)
	if (files.length === 0) continue
	const { status, stdout } = spawnSync('tsc', ['-p', config], { encoding: 'utf8' })
	if (status === 0) continue
	failed = true
	console.error(stdout)
}
process.exitCode = failed ? 1 : 0
