import { after, describe, test } from 'node:test'
import type { ConformanceOptions } from './options.ts'
import { register } from './register.ts'

export type { ConformanceOptions, OpenStore } from './options.ts'

/** Registers one `node:test` test for each claim of the contract, one after the other; what they wrote is removed after the last. */
export function conformance(name: string, options: ConformanceOptions): void {
	register(
		{
			group: (name, body) => void describe(name, { concurrency: false }, body),
			test: (name, timeout, body) =>
				void test(name, { timeout }, (context) =>
					body({ signal: context.signal, skip: (reason) => context.skip(reason) }),
				),
			after: (timeout, body) => after(body, { timeout }),
		},
		name,
		options,
	)
}
