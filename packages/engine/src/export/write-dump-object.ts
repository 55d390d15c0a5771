import type { ObjectPart, ProtoText } from '@ydbackup/core'
import { dumpLayout, layout, printProtoText } from '@ydbackup/format'

import type { StoredObject } from '../part/stored-object.ts'
import { printDefinition, type TextPlace } from '../objects/definition-text.ts'
import type { DumpTarget } from './export-options.ts'

const text = (tree: ProtoText): Uint8Array[] => [Buffer.from(printProtoText(tree))]

/** Writes an object's folder. It has its `incomplete` until all of it is durable. */
export async function writeDumpObject(object: StoredObject, target: DumpTarget, place: TextPlace): Promise<void> {
	const { path, kind, definition, permissions, parts } = object
	await target.makeDirectory(path)
	await target.writeFile(`${path}/${dumpLayout.INCOMPLETE}`, [])
	const bare =
		kind === 'topic' && definition.form === 'message'
			? { ...definition, message: withoutAttributes(definition.message) }
			: definition
	const file = `${path}/${layout.definitionName(kind)}`
	await target.writeFile(file, [Buffer.from(printDefinition(bare, place))])
	if (permissions.length > 0) await target.writeFile(`${path}/${dumpLayout.PERMISSIONS}`, text(permissions))
	await writeDumpParts(path, parts, target)
	await target.removeFile(`${path}/${dumpLayout.INCOMPLETE}`)
}

/** Changefeeds or rate limiters, each in a folder of its name. */
export async function writeDumpParts(path: string, parts: readonly ObjectPart[], target: DumpTarget): Promise<void> {
	const made = new Set<string>()
	for (const { kind, name, definition, topic } of parts) {
		const folders = name.split('/').map((_, at, all) => all.slice(0, at + 1).join('/'))
		for (const folder of folders) {
			if (!made.has(folder)) await target.makeDirectory(`${path}/${folder}`)
			made.add(folder)
		}
		await target.writeFile(`${path}/${name}/${layout.partName(kind)}`, text(definition))
		if (topic !== undefined) await target.writeFile(`${path}/${name}/${layout.partTopicName}`, text(topic))
	}
}

/** What of an object a dump cannot hold, as fragments for people. */
export function lostInDump({ kind, definition }: StoredObject): string[] {
	if (kind !== 'topic' || definition.form !== 'message') return []
	const { length } = definition.message.filter(({ name }) => name === 'attributes')
	return length === 0 ? [] : [`its ${length} attributes: ydb tools dump leaves them out`]
}

function withoutAttributes(message: ProtoText): ProtoText {
	return message.filter(({ name }) => name !== 'attributes')
}
