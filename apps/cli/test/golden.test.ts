import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { GOLDEN } from '@ydbackup/driver-conformance'
import { expect, test } from 'vitest'
import { startDatabase } from './support/database.ts'
import { scratch } from './support/packed-driver.ts'
import { ydbackup } from './support/ydbackup.ts'

test('the repository that drivers are proved with is verified and restored', async () => {
	const repo = join(await scratch(), 'repo')
	for (const [key, , base64] of GOLDEN) {
		await mkdir(dirname(join(repo, key)), { recursive: true })
		await writeFile(join(repo, key), Buffer.from(base64, 'base64'))
	}
	await using database = await startDatabase({})
	const env = { ...database.env, YDBACKUP_REPO: repo }
	const verified = await ydbackup(['backup', 'verify', 'latest', '--level', 'full', '--json'], { env })
	expect(verified.code, verified.stdout).toBe(0)
	const restored = await ydbackup(['restore', 'latest', '--verify-data', '--json'], { env })
	expect(restored.code, restored.stdout).toBe(0)
	expect(restored.document.result).toMatchObject({ outcome: 'complete', rows: 340 })
})
