import { fromBinary } from '@bufbuild/protobuf'
import { ColumnMetaSchema } from '@ydbjs/api/table'
import { BackupError, bareType, spellType } from '@ydbackup/core'
import { quotePath } from '../call/query.ts'
import type {
	ConnectionParams,
	DescribeExternalDataSourceResult,
	DescribeExternalTableResult,
	DescribeReplicationResult,
	DescribeTransferResult,
} from '../gen/ydb_objects_pb.ts'
import { typeOf } from '../scheme/table-description.ts'

/** What the statement of a transfer calls its lambda inside the server. Source: `TRANSFER_LAMBDA_DEFAULT_NAME` in ydb/core/kqp. */
const LAMBDA = '$__ydb_transfer_lambda'
/** Tables of indexes follow their table. */
const INDEX_TABLE = '/indexImplTable'
/** Kept by the server: who uses the source. */
const REFERENCES = 'REFERENCES'

type Option = readonly [key: string, value: string]

/** A text as YQL writes it. */
export function quoteText(text: string): string {
	const escaped = text.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\n', '\\n').replaceAll('\r', '\\r')
	return `'${escaped}'`
}

function withOptions(options: readonly Option[]): string {
	return `WITH (\n${options.map(([key, value]) => `  ${key} = ${value}`).join(',\n')}\n);`
}

const seconds = ({ seconds: whole }: { readonly seconds: bigint }): string => `Interval('PT${whole}S')`

function secretOption(name: string, option: string): Option[] {
	if (name === '') return []
	return [[`${option}_${name.startsWith('/') ? 'PATH' : 'NAME'}`, quoteText(name)]]
}

function connectionOptions(params: ConnectionParams | undefined): Option[] {
	if (!params || params.endpoint === '' || params.database === '') return []
	const { endpoint, database, enableSsl, credentials } = params
	const url = `${enableSsl ? 'grpcs' : 'grpc'}://${endpoint}/?database=${database}`
	const options: Option[] = [['CONNECTION_STRING', quoteText(url)]]
	if (credentials.case === 'staticCredentials') {
		options.push(['USER', quoteText(credentials.value.user)])
		options.push(...secretOption(credentials.value.passwordSecretName, 'PASSWORD_SECRET'))
	} else if (credentials.case === 'oauth') {
		options.push(...secretOption(credentials.value.tokenSecretName, 'TOKEN_SECRET'))
	}
	return options
}

/** Names of the secrets that a connection needs. */
export function secretsOf(params: ConnectionParams | undefined): string[] {
	const { credentials } = params ?? {}
	if (credentials?.case === 'staticCredentials')
		return [credentials.value.passwordSecretName].filter((name) => name !== '')
	return credentials?.case === 'oauth' ? [credentials.value.tokenSecretName].filter((name) => name !== '') : []
}

/** Source of these statements: `ydb/public/lib/ydb_cli/dump/util` (replication_utils.cpp, external_table_utils.cpp, …). */
export function replicationStatement(name: string, found: DescribeReplicationResult): string {
	const items = found.items.filter(({ destinationPath }) => !destinationPath.endsWith(INDEX_TABLE))
	const pairs = items.map(
		({ sourcePath, destinationPath }) => `  ${quotePath(sourcePath)} AS ${quotePath(destinationPath)}`,
	)
	const options = connectionOptions(found.connectionParams)
	const { consistencyLevel: level } = found
	if (level.case === 'globalConsistency') {
		options.push(['CONSISTENCY_LEVEL', quoteText('Global')])
		if (level.value.commitInterval) options.push(['COMMIT_INTERVAL', seconds(level.value.commitInterval)])
	} else options.push(['CONSISTENCY_LEVEL', quoteText('Row')])
	return `CREATE ASYNC REPLICATION ${quotePath(name)}\nFOR\n${pairs.join(',\n')}\n${withOptions(options)}`
}

export function transferStatement(name: string, found: DescribeTransferResult): string {
	const options = connectionOptions(found.connectionParams)
	options.push(['CONSUMER', quoteText(found.consumerName)])
	const { sizeBytes, flushInterval } = found.batchSettings ?? {}
	if (sizeBytes !== undefined) options.push(['BATCH_SIZE_BYTES', String(sizeBytes)])
	if (flushInterval) options.push(['FLUSH_INTERVAL', seconds(flushInterval)])
	const { context, lambda } = splitLambda(found.transformationLambda)
	const head = context === '' ? '' : `${context}\n\n`
	return `${head}CREATE TRANSFER ${quotePath(name)}\nFROM ${quotePath(found.sourcePath)} TO ${quotePath(found.destinationPath)} USING ${lambda}\n${withOptions(options)}`
}

/** The server keeps the lambda as statements, and its name in the last of them. */
function splitLambda(text: string): { readonly context: string; readonly lambda: string } {
	const begin = text.lastIndexOf(`${LAMBDA} = `)
	const end = text.lastIndexOf(';')
	if (begin < 0 || end < begin) {
		throw new BackupError('DATABASE_REFUSED', 'the transfer has a lambda that this version does not understand', {
			advice: 'leave it out with --exclude, and report this with the version of the server',
		})
	}
	return {
		context: text.slice(0, begin).replaceAll('PRAGMA OrderedColumns;', '').trim(),
		lambda: text.slice(begin + LAMBDA.length + 3, end).trim(),
	}
}

export function dataSourceStatement(name: string, found: DescribeExternalDataSourceResult): string {
	const properties = Object.entries(found.properties)
		.filter(([key]) => key !== REFERENCES)
		.map(([key, value]): Option => [key, quoteText(value)])
	const options: Option[] = [
		['SOURCE_TYPE', quoteText(found.sourceType ?? '')],
		['LOCATION', quoteText(found.location ?? '')],
		...properties,
	]
	return `CREATE EXTERNAL DATA SOURCE IF NOT EXISTS ${quotePath(name)} ${withOptions(options)}`
}

/** Secrets stand in properties of this form: `PASSWORD_SECRET_NAME`, `AWS_SECRET_ACCESS_KEY_SECRET_NAME`, `…_SECRET_PATH`. */
export function secretsOfSource({ properties }: DescribeExternalDataSourceResult): string[] {
	return Object.entries(properties).flatMap(([key, value]) =>
		/_SECRET_(NAME|PATH)$/.test(key) && value !== '' ? [value] : [],
	)
}

export function externalTableStatement(name: string, found: DescribeExternalTableResult): string {
	const columns = found.columns.map((bytes) => {
		const { name: column, type: given, notNull } = fromBinary(ColumnMetaSchema, bytes)
		const type = typeOf(given)
		const isFull = type.kind !== 'optional' && (type.kind !== 'pg' || notNull === true)
		return `    ${quotePath(column)} ${spellType(bareType(type))}${isFull ? ' NOT NULL' : ''}`
	})
	const options: Option[] = [
		['DATA_SOURCE', quoteText(found.dataSourcePath ?? '')],
		['LOCATION', quoteText(found.location ?? '')],
		...Object.entries(found.content).map(([key, json]): Option => [key, quoteText(contentText(key, json))]),
	]
	return `CREATE EXTERNAL TABLE IF NOT EXISTS ${quotePath(name)} (\n${columns.join(',\n')}\n) ${withOptions(options)}`
}

/** A property of an external table is a JSON list. */
function contentText(key: string, json: string): string {
	let items: unknown
	try {
		items = JSON.parse(json)
	} catch {
		items = undefined
	}
	if (!Array.isArray(items) || items.length === 0)
		throw new BackupError('DATABASE_REFUSED', `the external table has a ${key} that this version does not understand`)
	return items.length === 1 ? String(items[0]) : `[${items.join(', ')}]`
}
