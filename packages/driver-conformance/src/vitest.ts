// These rules are for tests; this makes tests of claims.
/* oxlint-disable vitest/valid-title, vitest/valid-describe-callback, vitest/expect-expect */
import { afterAll, describe, test } from 'vitest'
import type { ConformanceOptions } from './options.ts'
import { register } from './register.ts'

export type { ConformanceOptions, OpenStore } from './options.ts'

/** Registers one vitest test for each claim of the contract, one after the other; what they wrote is removed after the last. */
export function conformance(name: string, options: ConformanceOptions): void {
	register(
		{
			group: (name, body) => describe(name, { concurrent: false }, body),
			test: (name, timeoutMs, body) =>
				test(name, { timeout: timeoutMs }, ({ signal, skip }) => body({ signal, skip: (reason) => skip(reason) })),
			after: (timeoutMs, body) => afterAll(body, timeoutMs),
		},
		name,
		options,
	)
}
