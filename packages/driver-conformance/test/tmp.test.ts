import { test } from 'vitest'
import { runConformance } from '../src/index.ts'
import { memory, SMALL } from './stores.ts'
test('t', async () => {
	const { open } = memory()
	const b = performance.now()
	const report = await runConformance({ open, level: 'full', plan: SMALL, isInProcess: true })
	console.log(performance.now()-b, report.ms, report.claims.filter(c => c.ms > 20).map(c => `${c.id} ${c.ms}`))
})
