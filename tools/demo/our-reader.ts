import { createHash } from 'node:crypto'
import { protoFields, protoMessage, protoString, type ProtoText, spellType } from '@ydbackup/core'
import { connect } from '@ydbackup/ydb'
import type { Picture, Sight } from './picture.ts'

function accessOf(permissions: ProtoText): Pick<Sight, 'owner' | 'grants'> {
	let owner = ''
	const grants: string[] = []
	for (const action of protoFields(permissions, 'actions')) {
		if (action.kind !== 'message') continue
		owner ||= protoString(action.fields, 'change_owner') ?? ''
		const grant = protoMessage(action.fields, 'grant')
		const names = protoFields(grant, 'permission_names').map((value) =>
			value.kind === 'bytes' ? Buffer.from(value.bytes).toString() : '',
		)
		const subject = protoString(grant, 'subject')
		if (subject !== undefined) grants.push(...names.map((name) => `${subject}: ${name}`))
	}
	return { owner, grants: grants.sort() }
}

/** The database as the tool's own client sees it. */
export async function ourPicture(endpoint: string, database: string): Promise<Picture> {
	await using ydb = await connect({ endpoint, database, credentials: { kind: 'anonymous' } })
	const picture = new Map<string, Sight>()
	for await (const { path, kind, permissions } of ydb.source.list()) {
		if (path === '') continue
		const access = accessOf(permissions)
		if (kind === 'directory') {
			picture.set(path, { kind, ...access })
			continue
		}
		const { schema, ranges } = await ydb.sink.describeTable(path)
		const hash = createHash('sha256')
		let rows = 0
		let bytes = 0
		for await (const chunk of ydb.sink.read(path, schema, {})) {
			hash.update(chunk.bytes)
			rows += chunk.rows
			bytes += chunk.bytes.length
		}
		const columns = schema.columns.map(({ name, type }) => `${name} ${spellType(type)}`)
		const table = {
			columns,
			primaryKey: schema.primaryKey,
			partitions: ranges.length,
			rows,
			bytes,
			sha256: hash.digest('hex'),
		}
		picture.set(path, { kind: 'table', ...access, ...table })
	}
	return picture
}
