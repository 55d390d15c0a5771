import { expect, test } from 'vitest'

import { createDriverRegistry } from '../src/index.ts'
import { acme, declared, driverSource, errorOf, registryOf } from './packages.ts'

const context = { environment: {}, writable: false }

test('opens a location with the driver of its scheme', async () => {
	const registry = await registryOf({ '@acme/tape': acme() })
	expect(registry.entries).toHaveLength(1)
	expect((await registry.driverFor('acme')).scheme).toBe('acme')
	expect(await registry.openStorage(new URL('acme://host/x?region=here'), context)).toEqual({
		opened: 'acme://host/x?region=here',
		writable: false,
	})
})

test('a broken package does no harm until its scheme is used', async () => {
	const registry = await registryOf({
		'@acme/tape': acme(),
		broken: { pjson: { ydbackup: declared('broken') }, files: { 'driver.js': 'throw new Error("broken")' } },
		old: { pjson: { ydbackup: declared('old', 0) } },
	})
	await registry.openStorage(new URL('acme://host/x'), context)
	expect(await errorOf(registry.driverFor('broken'))).toMatchObject({ code: 'DRIVER_INVALID' })
	expect(await errorOf(registry.driverFor('old'))).toMatchObject({
		code: 'DRIVER_INVALID',
		message: expect.stringContaining('contract 0'),
	})
})

test('two drivers for one scheme: neither is taken, and both are named', async () => {
	const other = {
		pjson: { version: '3.0.0', ydbackup: declared('acme') },
		files: { 'driver.js': driverSource('acme') },
	}
	const registry = await registryOf({ '@acme/tape': acme(), 'acme-fork': other })
	const error = await errorOf(registry.openStorage(new URL('acme://host/x'), context))
	expect(error.code).toBe('DRIVER_INVALID')
	expect(error.message).toContain('@acme/tape 1.2.3 and acme-fork 3.0.0 both serve acme://')
	expect(error.advice).toContain('uninstall')
})

test('a scheme that nobody serves: the error names what to install and the schemes that are served', async () => {
	const registry = await registryOf({ '@acme/tape': acme(), old: { pjson: { ydbackup: declared('old', 0) } } })
	for (const [scheme, install] of [
		['file', 'npm install @ydbackup/storage-fs'],
		['s3', 'npm install @ydbackup/storage-s3'],
		['gs', 'npm install @ydbackup/storage-gcs'],
		['az', 'npm install @ydbackup/storage-azure'],
		['acmee', 'install a package that serves it'],
		['constructor', 'install a package that serves it'],
	] as const) {
		const error = await errorOf(registry.openStorage(new URL(`${scheme}://host/x`), context))
		expect(error).toMatchObject({ code: 'DRIVER_MISSING', message: expect.stringContaining(`${scheme}://`) })
		expect(error.advice).toBe(`${install}; there are drivers for acme://`)
	}
	expect((await errorOf(createDriverRegistry([]).driverFor('s3'))).advice).toContain('no scheme at all')
})

test('a parameter that the driver calls secret is refused, before the driver sees it', async () => {
	const registry = await registryOf({ '@acme/tape': acme(`driver.open = () => { throw new Error('opened') }`) })
	const error = await errorOf(registry.openStorage(new URL('acme://host/x?pin=canary'), context))
	expect(error).toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining('pin') })
	expect(`${error.message} ${error.advice}`).not.toContain('canary')
})
