import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { claimsFor } from '../src/index.ts'

/** Runs a file with node's own test runner, as the author of a driver does. */
function nodeTest(name: string): Promise<{ readonly code: number; readonly output: string }> {
	const file = join(import.meta.dirname, 'node-tests', name)
	const parameters = ['--conditions=@ydbackup/source', '--test', '--test-reporter=tap', file]
	const { NODE_TEST_CONTEXT: _context, NODE_OPTIONS: _options, ...env } = process.env
	return new Promise((resolve) => {
		const child = execFile(process.execPath, parameters, { timeout: 20_000, env }, (_error, output) =>
			resolve({ code: child.exitCode ?? -1, output }),
		)
	})
}

test('node:test has one test for each claim', async () => {
	const { code, output } = await nodeTest('good.ts')
	expect(output).toContain(`# tests ${claimsFor('quick').length}\n`)
	expect(output).toContain('# fail 0\n')
	expect(output).toMatch(/ok \d+ - permissions\.secrets: .* # SKIP no secrets were named/)
	expect(code).toBe(0)
})

test('node:test fails for a broken driver, and names the claim', async () => {
	const { code, output } = await nodeTest('broken.ts')
	expect(output).toMatch(/not ok \d+ - contract\.stat-size: /)
	expect(output).toContain('stat tells undefined bytes of an object that has 3')
	expect(code).toBe(1)
})
