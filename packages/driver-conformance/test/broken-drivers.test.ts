import { describe, expect, test } from 'vitest'
import { runConformance } from '../src/index.ts'
import { createFlaws } from './broken/create.ts'
import { type Flaw, opener } from './broken/flaw.ts'
import { getFlaws } from './broken/get.ts'
import { keyFlaws } from './broken/keys.ts'
import { listFlaws } from './broken/list.ts'
import { abortFlaws, capabilityFlaws, deleteFlaws, errorFlaws, SECRET } from './broken/other.ts'
import { putFlaws } from './broken/put.ts'
import { SMALL } from './stores.ts'

const FLAWS: readonly Flaw[] = [
	...putFlaws,
	...createFlaws,
	...getFlaws,
	...listFlaws,
	...keyFlaws,
	...deleteFlaws,
	...abortFlaws,
	...errorFlaws,
	...capabilityFlaws,
]

describe('each flaw is caught by its claims and by no other', { concurrent: true }, () => {
	for (const flaw of FLAWS)
		test(flaw.flaw, async () => {
			const report = await runConformance({
				open: opener(flaw),
				level: 'full',
				isInProcess: true,
				secrets: [SECRET],
				...flaw.options,
				plan: { ...SMALL, settleMs: 1500, holdMs: 900, listed: [0, 1, 1001], ...flaw.options?.plan },
			})
			const caught = report.claims.filter(({ outcome }) => outcome === 'failed')
			expect(
				caught.map(({ id }) => id).toSorted(),
				caught.map(({ id, detail }) => `${id}: ${detail}`).join('\n'),
			).toEqual([...flaw.caughtBy].toSorted())
			expect(report.isConforming).toBe(false)
			expect(JSON.stringify(report)).not.toContain(SECRET)
		})
})
