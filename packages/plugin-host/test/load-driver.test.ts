import { expect, test } from 'vitest'

import { findDrivers, loadDriver, shapeProblem } from '../src/index.ts'
import { acme, driverSource, errorOf, install, type PackageFiles } from './packages.ts'

async function load(files: PackageFiles): ReturnType<typeof loadDriver> {
	const [entry] = findDrivers({ packages: await install({ '@acme/tape': files }) })
	return loadDriver(entry!)
}

const at = (driver: unknown): PackageFiles => ({
	...acme('', { exports: { './driver': driver } }),
	files: { 'dist/driver.js': driverSource('acme'), 'wrong.js': 'export default 1' },
})

test.for<[string, PackageFiles]>([
	['a path', at('./dist/driver.js')],
	['the condition default', at({ types: './none.d.ts', default: './dist/driver.js' })],
	['the condition import', at({ types: './none.d.ts', import: './dist/driver.js' })],
	['the condition import, behind another file for require', at({ require: './wrong.js', import: './dist/driver.js' })],
	['a pattern', { ...at(''), pjson: acme('', { exports: { './*': './dist/*.js' } }).pjson! }],
	['its files alone', { ...acme('', { exports: undefined }), files: { 'driver.js': driverSource('acme') } }],
	['conditions in conditions', at({ browser: './wrong.js', node: { import: './dist/driver.js' } })],
])('loads an entry that the package gives by %s', async ([, files]) => {
	expect(await load(files)).toMatchObject({ scheme: 'acme', contract: 1 })
})

test.for<[string, PackageFiles, string]>([
	['throws an error', acme(`throw new Error('no such disk')`), 'no such disk'],
	['throws something else', acme(`throw 'no such disk'`), 'no such disk'],
	[
		'throws one of our errors',
		acme(`throw Object.assign(new Error('mine'), { [Symbol.for('@ydbackup/BackupError')]: true, code: 'INTERNAL' })`),
		'mine',
	],
	['cannot be parsed', acme('this is no JavaScript'), 'while it is loaded'],
	['misses a dependency', acme(`await import('@acme/missing')`), '@acme/missing'],
	['was not built', at('./not-built.js'), 'not-built.js'],
	['has no ./driver entry', acme('', { exports: { '.': './driver.js' } }), './driver'],
	['has a ./driver entry for browsers only', at({ browser: './dist/driver.js' }), './driver'],
	['has a ./driver entry outside of itself', at({ import: './../other/driver.js' }), './driver'],
	['has no default export', { ...acme(), files: { 'driver.js': 'export const driver = 1' } }, 'default export'],
	['has another contract than it declares', acme('driver.contract = 2'), 'contract 2'],
	['serves another scheme than it declares', acme(`driver.scheme = 'tape'`), '"tape"'],
	['cannot open', acme('delete driver.open'), 'function open'],
	['cannot redact', acme('driver.redact = true'), 'function redact'],
	['has no options', acme('delete driver.options'), 'options'],
	['has an option that is none', acme('driver.options.push(null)'), 'options'],
	['has no capabilities', acme('driver.capabilities = null'), 'capabilities'],
	['says no without a reason', acme('driver.capabilities.retention = false'), 'retention'],
	['forgets a capability', acme('delete driver.capabilities.strongList'), 'strongList'],
	['has no number', acme('driver.capabilities.maxConcurrency = NaN'), 'maxConcurrency'],
	['takes no request', acme('driver.capabilities.maxConcurrency = 0'), 'maxConcurrency'],
	['takes short keys only', acme('driver.capabilities.maxKeyBytes = 255'), 'maxKeyBytes'],
	['declares another contract', acme('', { ydbackup: { contract: 7, drivers: { acme: {} } } }), 'contract 7'],
])('a package that %s is refused by name, with the mend', async ([, files, why]) => {
	const error = await errorOf(load(files))
	expect(error).toMatchObject({ code: 'DRIVER_INVALID', advice: expect.stringContaining('npm install @acme/tape') })
	expect(error.message).toContain('acme:// of @acme/tape 1.2.3 cannot be used')
	expect(error.message).toContain(why)
})

test('what is no object is no driver', () => {
	for (const value of [undefined, null, 1, 'driver']) expect(shapeProblem(value, 'acme')).toContain('default export')
})
