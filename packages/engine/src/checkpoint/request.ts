import { canonicalJson, createSha256 } from '@ydbackup/format'

import type { Contents } from '../restore/contents.ts'
import type { RestoreSettings } from '../restore/restore-options.ts'
import type { RestoreRequest } from './notes.ts'

/** What a restore is asked for, in a form that can be compared. */
export function requestOf(options: RestoreSettings, contents: Contents, now: Date): RestoreRequest {
	return {
		startedAt: now.toISOString(),
		title: contents.title,
		contents: hashOf(contents),
		settings: settingsOf(options),
	}
}

/** How two requests differ, each as one fragment; empty when they ask for the same. */
export function differences(begun: RestoreRequest, now: RestoreRequest): string[] {
	const found: string[] = []
	if (begun.title !== now.title) found.push(`${begun.title} was restored, not ${now.title}`)
	for (const name of new Set([...Object.keys(begun.settings), ...Object.keys(now.settings)])) {
		const [then, asked] = [begun.settings[name], now.settings[name]]
		if (then !== asked) found.push(`--${name} was ${then ?? 'not given'}, and is ${asked ?? 'not given'}`)
	}
	if (found.length === 0 && begun.contents !== now.contents) found.push(`what lies in ${now.title} has changed`)
	return found
}

function settingsOf(options: RestoreSettings): Record<string, string> {
	const { to, map, include, exclude, kinds, excludeKinds, existing } = options
	const all = {
		to,
		map: map?.map((pair) => pair.join('=')),
		include,
		exclude,
		kind: kinds,
		'exclude-kind': excludeKinds,
		existing,
		'root-acl': options.rootAcl,
		'scheme-only': options.schemeOnly,
		'data-only': options.dataOnly,
		'no-acl': options.noAcl,
		'with-accounts': options.accounts !== undefined,
		ttl: options.ttl ?? 'keep',
		'storage-settings': options.storageSettings ?? 'adapt',
		'verify-data': options.verifyData,
	}
	const given = Object.entries(all).filter(
		([, value]) => value !== undefined && value !== false && !(Array.isArray(value) && value.length === 0),
	)
	return Object.fromEntries(given.map(([name, value]) => [name, canonicalJson(value)]))
}

function hashOf({ choice, tables, objects, directories, compression }: Contents): string {
	const hash = createSha256()
	const add = (value: Parameters<typeof canonicalJson>[0]): void => {
		hash.update(Buffer.from(`${canonicalJson(value)}\n`))
	}
	const places = new Map([...choice.tables, ...choice.objects].map(({ path, target }) => [path, target]))
	add({ compression, changefeeds: choice.changefeeds })
	for (const { path, target } of choice.directories) add({ directory: path, target })
	for (const { path, permissionsText } of directories) add({ path, permissionsText })
	for (const { stored, full, links } of tables) {
		const layers = [stored, ...(full ? [full.table] : []), ...links.map(({ table }) => table)]
		const files = layers.flatMap(({ parts }) => parts)
		add({
			table: stored.path,
			target: places.get(stored.path),
			scheme: Buffer.from(stored.schemeText).toString('base64'),
			rights: stored.permissionsText && Buffer.from(stored.permissionsText).toString('base64'),
			files: files.map(({ key, size, sha256 }) => ({ key, size, sha256 })),
		})
	}
	for (const { path, kind } of objects) add({ object: path, kind, target: places.get(path) })
	return hash.hex()
}
