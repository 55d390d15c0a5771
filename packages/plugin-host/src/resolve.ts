import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, sep } from 'node:path'
import type { DriverEntry } from './driver-entry.ts'

/**
 * The file of a package's `./driver` entry, as an `import` would find it. Node resolves for an import only from the module that
 * imports, and `require` takes other files of a package that has both: so its `exports` are read here.
 */
export function driverFile({ root, packageName }: DriverEntry): string {
	const manifest = join(root, 'package.json')
	const { exports } = JSON.parse(readFileSync(manifest, 'utf8')) as { exports?: Readonly<Record<string, unknown>> }
	const target = targetOf(exports?.['./driver'], conditions())
	// Without `exports`, and for patterns in them, the two ways are the same.
	if (target === undefined) return createRequire(manifest).resolve(`${packageName}/driver`)
	const file = join(root, target)
	if (!target.startsWith('./') || !file.startsWith(join(root, sep)))
		throw new Error(`its ./driver entry ${JSON.stringify(target)} lies outside of it`)
	return file
}

/** Conditions count in the order in which the package writes them. */
function targetOf(target: unknown, active: ReadonlySet<string>): string | undefined {
	if (typeof target === 'string') return target
	if (typeof target !== 'object' || target === null) return undefined
	for (const [condition, inner] of Object.entries(target)) {
		const found = active.has(condition) ? targetOf(inner, active) : undefined
		if (found !== undefined) return found
	}
	return undefined
}

/** Those of Node, and those that this process was started with. */
function conditions(): ReadonlySet<string> {
	const options = [...(process.env['NODE_OPTIONS'] ?? '').split(' '), ...process.execArgv]
	const more = options.flatMap((option, at) =>
		option === '-C' || option === '--conditions'
			? (options[at + 1] ?? [])
			: (/^(?:-C|--conditions)=(.*)$/.exec(option)?.[1] ?? []),
	)
	return new Set(['import', 'node', 'module-sync', 'default', ...more])
}
