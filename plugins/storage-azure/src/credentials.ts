import { BackupError } from '@ydbackup/core'
import { type Place, serviceUrl } from './location.ts'

/** How requests are signed. */
export type Access =
	| { readonly kind: 'key'; readonly account: string; readonly key: string }
	| { readonly kind: 'sas'; readonly token: string; readonly expiresAt: Date | undefined }
	| { readonly kind: 'identity' }

/** Which service, and who we are there. */
export interface Account {
	/** The blob service, without a slash at its end. */
	readonly endpoint: string
	readonly access: Access
	/** What must appear in no message. */
	readonly secrets: readonly string[]
}

type Environment = Readonly<Record<string, string | undefined>>

/** The emulator's account, the same everywhere: it protects nothing. */
const EMULATOR = {
	account: 'devstoreaccount1',
	key: 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==',
	endpoint: 'http://127.0.0.1:10000/devstoreaccount1',
}

/**
 * The account of a place, by what the environment gives: AZURE_STORAGE_CONNECTION_STRING, else a key, else a shared access
 * signature, else the identity of this machine or user. Names that contradict each other are refused, never chosen among.
 */
export function accountOf(place: Place, environment: Environment): Account {
	const given = (name: string): string | undefined => environment[name]?.trim() || undefined
	const string = given('AZURE_STORAGE_CONNECTION_STRING')
	const from = string === undefined ? {} : readConnectionString(string)
	const named = [
		['the URL', place.account],
		['AZURE_STORAGE_CONNECTION_STRING', from.account],
		// A connection string is complete: the other variables are then those of something else.
		['AZURE_STORAGE_ACCOUNT', string === undefined ? given('AZURE_STORAGE_ACCOUNT') : undefined],
	].filter((entry): entry is [string, string] => entry[1] !== undefined)
	const [first, other] = [named[0], named.find(([, name]) => name !== named[0]?.[1])]
	if (first && other)
		throw new BackupError('LOCATION_INVALID', `${place.shown}: ${first[0]} and ${other[0]} name different accounts`, {
			advice: `${first[0]} says ${first[1]}, ${other[0]} says ${other[1]}: make them agree`,
		})
	const account = first?.[1]
	const key = string === undefined ? given('AZURE_STORAGE_KEY') : from.key
	const sas = string === undefined ? given('AZURE_STORAGE_SAS_TOKEN') : from.sas
	const endpoint = endpointOf(place, from.endpoint, account)
	if (key !== undefined) {
		if (account === undefined)
			throw new BackupError('CONFIG_INVALID', 'AZURE_STORAGE_KEY is set and no account is named', {
				advice: 'set AZURE_STORAGE_ACCOUNT, or add ?account=name to the URL',
			})
		if (!/^[A-Za-z0-9+/]+={0,2}$/.test(key))
			throw new BackupError('CONFIG_INVALID', 'the key of the storage account is not in base64', {
				advice: 'copy the whole key from the access keys of the account',
			})
		return { endpoint, access: { kind: 'key', account, key }, secrets: [key] }
	}
	if (sas !== undefined) return { endpoint, ...signatureOf(sas) }
	if (string !== undefined)
		throw new BackupError(
			'CONFIG_INVALID',
			'AZURE_STORAGE_CONNECTION_STRING has neither AccountKey nor SharedAccessSignature',
			{
				advice: 'copy the whole connection string from the access keys of the account',
			},
		)
	if (endpoint.startsWith('http:'))
		throw new BackupError('LOCATION_INVALID', `${place.shown}: an identity is not sent over plain http`, {
			advice: 'use an https endpoint, or set AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_KEY',
		})
	return { endpoint, access: { kind: 'identity' }, secrets: [] }
}

function endpointOf(place: Place, fromString: string | undefined, account: string | undefined): string {
	const endpoint = place.endpoint ?? fromString
	if (endpoint === undefined) {
		if (account !== undefined) return `https://${account}.blob.core.windows.net`
		throw new BackupError('LOCATION_INVALID', `${place.shown} names no storage account`, {
			advice: 'add ?account=name to the URL, or set AZURE_STORAGE_ACCOUNT or AZURE_STORAGE_CONNECTION_STRING',
		})
	}
	// A service that is reached by address has its account in the path.
	const { hostname, pathname } = new URL(endpoint)
	const isAddress = hostname === 'localhost' || hostname.startsWith('[') || /^[\d.]+$/.test(hostname)
	return isAddress && pathname === '/' && account !== undefined ? `${endpoint}/${account}` : endpoint
}

function signatureOf(text: string): { access: Access; secrets: string[] } {
	const token = text.replace(/^\?/, '')
	const parts = new URLSearchParams(token)
	const signature = parts.get('sig')
	if (!signature)
		throw new BackupError('CONFIG_INVALID', 'the shared access signature has no sig', {
			advice: 'give the whole token, as in sv=…&se=…&sp=…&sig=…',
		})
	const expiresAt = new Date(parts.get('se') ?? '')
	return {
		access: { kind: 'sas', token, expiresAt: Number.isNaN(expiresAt.getTime()) ? undefined : expiresAt },
		secrets: [token, signature, encodeURIComponent(signature)],
	}
}

interface ConnectionString {
	readonly account?: string | undefined
	readonly key?: string | undefined
	readonly sas?: string | undefined
	readonly endpoint?: string | undefined
}

/** Reads `Name=value;…`. Never quotes what it read. */
export function readConnectionString(text: string): ConnectionString {
	const refuse = (why: string): BackupError =>
		new BackupError('CONFIG_INVALID', `AZURE_STORAGE_CONNECTION_STRING ${why}`, {
			advice: 'copy the whole connection string from the access keys of the account',
		})
	const fields = new Map<string, string>()
	for (const part of text.split(';')) {
		if (part.trim() === '') continue
		const at = part.indexOf('=')
		if (at < 1) throw refuse('has a part that is not Name=value')
		fields.set(part.slice(0, at).trim().toLowerCase(), part.slice(at + 1).trim())
	}
	if (fields.get('usedevelopmentstorage')?.toLowerCase() === 'true') return EMULATOR
	const account = fields.get('accountname')
	const endpoint = fields.get('blobendpoint')
	const suffix = fields.get('endpointsuffix') ?? 'core.windows.net'
	if (endpoint === undefined && account === undefined) throw refuse('has neither AccountName nor BlobEndpoint')
	if (endpoint === undefined && !/^[A-Za-z0-9.-]+$/.test(`${account}${suffix}`)) throw refuse('names no host')
	const protocol = fields.get('defaultendpointsprotocol') ?? 'https'
	return {
		account,
		key: fields.get('accountkey'),
		sas: fields.get('sharedaccesssignature'),
		endpoint: serviceUrl(endpoint ?? `${protocol}://${account}.blob.${suffix}`, () =>
			refuse('has no usable BlobEndpoint'),
		),
	}
}
