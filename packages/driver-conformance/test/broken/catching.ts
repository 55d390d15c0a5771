import { describe, expect, test } from 'vitest'
import { runConformance } from '../../src/index.ts'
import { SMALL } from '../stores.ts'
import { type Flaw, opener } from './flaw.ts'
import { SECRET } from './errors.ts'

/** Registers a test for each flaw: its claims fail, and every other one passes. Flaws of listings need more keys than others. */
export function areCaught(flaws: readonly Flaw[], listed: readonly number[] = [0, 1, 12]): void {
	describe(
		`each flaw is caught by its claims and by no other, with ${listed.at(-1)} keys`,
		{ concurrent: true },
		() => {
			for (const flaw of flaws)
				test(`${flaw.flaw}`, async () => {
					const report = await runConformance({
						open: opener(flaw),
						level: 'full',
						isInProcess: true,
						secrets: [SECRET],
						...flaw.options,
						plan: { ...SMALL, listed, ...flaw.options?.plan },
					})
					const caught = report.claims.filter(({ outcome }) => outcome === 'failed')
					expect(
						caught.map(({ id }) => id).toSorted(),
						caught.map(({ id, detail }) => `${id}: ${detail}`).join('\n'),
					).toEqual([...flaw.caughtBy].toSorted())
					expect(report.isConforming).toBe(false)
					expect(JSON.stringify(report)).not.toContain(SECRET)
				})
		},
	)
}
