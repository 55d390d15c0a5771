import type { Ydb } from '@ydbackup/ydb'
import type { ConnectionFlags } from './connection-flags.ts'
import { claimOf, credentialsOf } from './credentials.ts'
import { type Environment, targetOf } from './target.ts'

/** Connects to the database that flags and environment name. The client is imported only here: it is slow to load. */
export async function openDatabase(
	flags: ConnectionFlags,
	{ signal, environment = process.env }: { readonly signal: AbortSignal; readonly environment?: Environment },
): Promise<Ydb> {
	const target = targetOf(flags, environment)
	const credentials = await credentialsOf(claimOf(flags, environment))
	const caFile = flags['ca-file'] ?? (environment['YDB_CA_FILE'] || undefined)
	const { connect } = await import('@ydbackup/ydb')
	return connect({ ...target, credentials, ...(caFile === undefined ? {} : { caFile }), signal })
}
