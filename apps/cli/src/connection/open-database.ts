import type { Ydb } from '@ydbackup/ydb'
import type { ConnectionFlags } from './connection-flags.ts'
import { claimOf, credentialsOf } from './credentials.ts'
import { type Environment, namesTarget, targetOf } from './target.ts'

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

/** A database that is connected to only when something in it is to be done; `openSource` is undefined when none is named. */
export function openSourceLater(
	flags: ConnectionFlags,
	{ signal, environment = process.env }: { readonly signal: AbortSignal; readonly environment?: Environment },
): AsyncDisposable & { readonly openSource: (() => Promise<Ydb['source']>) | undefined } {
	let opened: Promise<Ydb> | undefined
	const openSource = async (): Promise<Ydb['source']> =>
		(await (opened ??= openDatabase(flags, { signal, environment }))).source
	return {
		openSource: namesTarget(flags, environment) ? openSource : undefined,
		// What could not be opened needs no end.
		[Symbol.asyncDispose]: async () => (await opened?.catch(() => undefined))?.close(),
	}
}
