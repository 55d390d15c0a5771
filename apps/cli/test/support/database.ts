import { type Emulator, type EmulatorOptions, startEmulator } from '@ydbackup/emulator'
import { createCsvParser, parseProtoText, tableSchemaOf } from '@ydbackup/format'
import { connect } from '@ydbackup/ydb'

const SCHEME = `
columns { name: "id" type { type_id: UINT64 } }
columns { name: "name" type { optional_type { item { type_id: UTF8 } } } }
primary_key: "id"
`

/** An emulator with some tables, and its address as the environment of a command. */
export interface Database extends AsyncDisposable {
	readonly emulator: Emulator
	readonly env: { readonly YDB_ENDPOINT: string; readonly YDB_DATABASE: string }
}

export async function startDatabase(
	rows: Readonly<Record<string, number>>,
	options: EmulatorOptions = {},
): Promise<Database> {
	const emulator = await startEmulator(options)
	const { database } = emulator
	const endpoint = `grpc://127.0.0.1:${emulator.port}`
	const scheme = parseProtoText(SCHEME, 'test')
	const user = Object.entries(options.auth?.users ?? {})[0]
	const credentials = user
		? { kind: 'static' as const, user: user[0], password: user[1] }
		: { kind: 'anonymous' as const }
	await using ydb = await connect({ endpoint, database, credentials })
	for (const [path, count] of Object.entries(rows)) {
		await ydb.sink.createDirectory(path.split('/').slice(0, -1).join('/'))
		await ydb.sink.createTable(path, scheme)
		const schema = tableSchemaOf(scheme, path)
		const writer = await ydb.sink.openWriter(path, schema)
		const parser = createCsvParser(schema, { file: 'test' })
		const lines = Array.from({ length: count }, (_, id) => `${id},"row ${id} of ${path}"\n`).join('')
		for (const chunk of [...parser.push(Buffer.from(lines)), ...parser.end()]) await writer.write(chunk)
		await writer.finish()
	}
	return {
		emulator,
		env: { YDB_ENDPOINT: endpoint, YDB_DATABASE: database },
		[Symbol.asyncDispose]: () => emulator.close(),
	}
}
