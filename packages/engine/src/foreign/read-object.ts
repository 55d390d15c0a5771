import { DEFINED_KINDS, type DefinedKind } from '@ydbackup/core'

import { readDefinition } from '../objects/definition-text.ts'
import type { Finding } from '../part/finding.ts'
import type { StoredObject } from '../part/stored-object.ts'
import { type ForeignObject, join } from './open-foreign.ts'
import { openItem } from './read-item.ts'
import type { ReadForeignOptions } from './read-table.ts'

export interface ReadObject {
	/** Undefined when it cannot be restored: a finding says why. */
	readonly object: StoredObject | undefined
	readonly findings: readonly Finding[]
	readonly problems: readonly string[]
	readonly warnings: readonly string[]
}

/** Reads the files of an object that is neither table nor directory. It throws only when the store cannot be asked. */
export async function readForeignObject(
	object: ForeignObject & { readonly found: { readonly kind: DefinedKind } },
	options: ReadForeignOptions,
): Promise<ReadObject> {
	const { path, found } = object
	const { kind } = found
	const item = await openItem(object, options)
	const warnings = found.strange.map((name) => `its folder ${name} is nothing that is known: it is not restored`)
	const file = join(found.folder, found.marker)
	const read = await item.attempt(file, 'data', async () => {
		const { definition, place } = readDefinition(await item.read(file), kind, file)
		if (definition.form === 'statements') return { definition, place }
		const request = kind === 'topic' ? 'CreateTopicRequest' : 'CreateNodeRequest'
		return { definition: { ...definition, message: item.known(request, definition.message) }, place }
	})
	const permissions = await item.permissions()
	const parts = await item.parts()
	const isWhole = read !== undefined && permissions !== undefined
	return {
		object: isWhole ? { path, kind, prefix: undefined, file, ...read, parts, permissions } : undefined,
		findings: item.findings,
		problems: item.problems,
		warnings,
	}
}

export function isDefinedObject(
	object: ForeignObject,
): object is ForeignObject & { readonly found: { readonly kind: DefinedKind } } {
	return (DEFINED_KINDS as readonly string[]).includes(object.found.kind)
}
