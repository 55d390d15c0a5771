import { isBackupError, type ObjectPart, protoString, type ProtoText } from '@ydbackup/core'
import { dumpLayout, layout, parseProtoText, type ReadItemMetadata } from '@ydbackup/format'

import { objectMissing } from '../part/damage.ts'
import { type Finding, findingOf } from '../part/finding.ts'
import { checkPart } from '../part/stored-object.ts'
import { type ForeignObject, join } from './open-foreign.ts'
import type { ReadForeignOptions } from './read-table.ts'
import { checkSidecar, readSmall } from './read-small.ts'

type Request = Parameters<NonNullable<ReadForeignOptions['sink']['knownPart']>>[0]

/** Fields of a request that are none of the object: what `ydb tools dump` never writes and a server would obey. */
const OF_REQUEST = new Set([
	'path',
	'session_id',
	'operation_params',
	'temporary',
	'coordination_node_path',
	'self',
	'topic_stats',
])

/** The small files of one object that another tool wrote, and what is wrong with them. */
export interface ItemReader {
	readonly findings: Finding[]
	readonly problems: string[]
	readonly metadata: ReadItemMetadata | undefined
	/** Whether files have sidecars. */
	readonly checksums: boolean
	/** What throws about contents is a finding of that file, and gives undefined. */
	attempt<T>(key: string, severity: Finding['severity'], work: () => Promise<T>): Promise<T | undefined>
	/** The bytes of a file, compared with its sidecar where there must be one. */
	read(key: string): Promise<Uint8Array>
	/** Without fields that are not the object's, and without those that the target's client does not know, which are named. */
	known(request: Request, given: ProtoText): ProtoText
	/** Undefined where they cannot be read; empty where there are none or none are wanted. */
	permissions(): Promise<ProtoText | undefined>
	/** Changefeeds of a table, or rate limiters of a node; those that cannot be read are findings. */
	parts(): Promise<ObjectPart[]>
}

export async function openItem({ path, found }: ForeignObject, options: ReadForeignOptions): Promise<ItemReader> {
	const { sink, signal } = options
	const { folder, files } = found
	const findings: Finding[] = []
	const problems: string[] = []

	async function attempt<T>(
		key: string,
		severity: Finding['severity'],
		work: () => Promise<T>,
	): Promise<T | undefined> {
		try {
			return await work()
		} catch (error) {
			findings.push(findingOf(error, key, severity, path))
			return undefined
		}
	}
	async function read(key: string): Promise<Uint8Array> {
		const bytes = await readSmall(options.files, key, signal)
		if (!checksums) return bytes
		try {
			await checkSidecar(options.files, key, bytes, signal)
		} catch (error) {
			// Without a sidecar YDB's import would stumble; the bytes may be right all the same.
			if (!isBackupError(error, 'OBJECT_MISSING')) throw error
			findings.push(findingOf(error, key, 'native', path))
		}
		return bytes
	}
	function known(request: Request, given: ProtoText): ProtoText {
		const own = given.filter((field) => !OF_REQUEST.has(field.name))
		if (sink.knownPart === undefined) return own
		const { known: tree, unknown } = sink.knownPart(request, own)
		if (unknown.length > 0 && options.schemes) {
			problems.push(`its settings ${unknown.slice(0, 10).join(', ')} are not restored: this version does not know them`)
		}
		return tree
	}

	const metadataKey = join(folder, dumpLayout.METADATA)
	const metadata = !files.has(dumpLayout.METADATA)
		? undefined
		: await attempt(metadataKey, 'native', async () => {
				const bytes = await readSmall(options.files, metadataKey, signal)
				const said = layout.readItemMetadata(bytes, metadataKey)
				if (said.checksums) await checkSidecar(options.files, metadataKey, bytes, signal)
				return said
			})
	const checksums = metadata?.checksums ?? false
	const permissionsKey = join(folder, dumpLayout.PERMISSIONS)
	if (options.layout === 'export' && !files.has(dumpLayout.METADATA)) {
		findings.push(findingOf(objectMissing(metadataKey), metadataKey, 'native', path))
	}
	if (metadata?.permissions === true && !files.has(dumpLayout.PERMISSIONS)) {
		findings.push(findingOf(objectMissing(permissionsKey), permissionsKey, 'data', path))
	}

	return {
		findings,
		problems,
		metadata,
		checksums,
		attempt,
		read,
		known,
		async permissions() {
			if (!files.has(dumpLayout.PERMISSIONS) || metadata?.permissions === false || !options.rights) return []
			return attempt(permissionsKey, 'data', async () =>
				known('ModifyPermissionsRequest', parseProtoText(await read(permissionsKey), permissionsKey)),
			)
		},
		async parts() {
			const kind = found.kind === 'table' ? 'changefeed' : 'rate-limiter'
			const names = new Map(
				[...(metadata?.changefeeds ?? []), ...(metadata?.rateLimiters ?? [])].map(({ prefix, name }) => [prefix, name]),
			)
			const folders = new Set([...names.keys(), ...found.changefeeds, ...found.rateLimiters])
			const parts: ObjectPart[] = []
			for (const place of folders) {
				const key = join(folder, `${place}/${layout.partName(kind)}`)
				const part = await attempt(key, 'data', () => readPart(kind, place, names.get(place), key))
				if (part !== undefined) parts.push(part)
			}
			return kind === 'changefeed' ? parts : parts.toSorted((a, b) => (a.name < b.name ? -1 : 1))
		},
	}

	async function readPart(
		kind: ObjectPart['kind'],
		place: string,
		name: string | undefined,
		key: string,
	): Promise<ObjectPart> {
		const tree = parseProtoText(await read(key), key)
		if (kind === 'rate-limiter') {
			return checkPart({ kind, name: name ?? place, definition: known('CreateResourceRequest', tree) }, key)
		}
		const own = name ?? protoString(tree, 'name') ?? place
		const definition = known('ChangefeedDescription', tree)
		const topicKey = join(folder, `${place}/${layout.partTopicName}`)
		if (!options.files.tree.files(join(folder, place)).has(layout.partTopicName)) {
			problems.push(`its changefeed ${own} has no ${topicKey}: its retention and its consumers are not restored`)
			return checkPart({ kind, name: own, definition }, key)
		}
		const topic = known('DescribeTopicResult', parseProtoText(await read(topicKey), topicKey))
		return checkPart({ kind, name: own, definition, topic }, key)
	}
}
