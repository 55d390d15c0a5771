import { readFile } from 'node:fs/promises'
import { BackupError } from '@ydbackup/core'
import type { Credentials } from '@ydbackup/ydb'
import { keepSecret } from '../output/secrets.ts'
import type { ConnectionFlags } from './connection-flags.ts'
import type { Environment } from './target.ts'

/** A way to prove who asks, before any file is read. */
export type Claim =
	| { readonly kind: 'anonymous' }
	| { readonly kind: 'token'; readonly token: string }
	| { readonly kind: 'token-file'; readonly file: string; readonly from: string }
	| { readonly kind: 'service-account-key'; readonly file: string; readonly from: string }
	| { readonly kind: 'metadata' }
	| { readonly kind: 'static'; readonly user: string; readonly password: string }
	| { readonly kind: 'static-file'; readonly user: string; readonly file: string; readonly from: string }

/**
 * Which credentials are meant. One way given by flags wins over the whole environment. In the environment the order is that
 * of the `ydb` CLI: token, metadata, service account, user. `YDB_ANONYMOUS_CREDENTIALS=1` beside another way is refused,
 * because the official clients do not agree on which one wins. Nothing at all means anonymous.
 */
export function claimOf(flags: ConnectionFlags, environment: Environment): Claim {
	return claimOfFlags(flags, environment) ?? claimOfEnvironment(environment) ?? { kind: 'anonymous' }
}

function claimOfFlags(flags: ConnectionFlags, environment: Environment): Claim | undefined {
	const user = flags.user
	const ways = [
		flags['token-file'] !== undefined && '--token-file',
		flags['sa-key-file'] !== undefined && '--sa-key-file',
		flags['use-metadata-credentials'] && '--use-metadata-credentials',
		user !== undefined && '--user',
	].filter((way): way is string => typeof way === 'string')
	if (ways.length > 1)
		throw refuse(`more than one way to authenticate is given: ${ways.join(', ')}`, 'give exactly one of them')
	if (flags['token-file'] !== undefined) return { kind: 'token-file', file: flags['token-file'], from: '--token-file' }
	if (flags['sa-key-file'] !== undefined)
		return { kind: 'service-account-key', file: flags['sa-key-file'], from: '--sa-key-file' }
	if (flags['use-metadata-credentials']) return { kind: 'metadata' }
	const file = flags['password-file']
	if (file !== undefined && flags['no-password'])
		throw refuse('--password-file and --no-password contradict each other', 'give one of them')
	const name = user ?? (file !== undefined || flags['no-password'] ? environment['YDB_USER'] || undefined : undefined)
	if (name === undefined) {
		if (file !== undefined || flags['no-password'])
			throw refuse('a password is given without a user name', 'give --user (or YDB_USER)')
		return undefined
	}
	if (flags['no-password']) return { kind: 'static', user: name, password: '' }
	if (file !== undefined) return { kind: 'static-file', user: name, file, from: '--password-file' }
	const password = environment['YDB_PASSWORD']
	if (password === undefined)
		throw refuse(
			`no password is given for the user ${name}`,
			'give --password-file, --no-password, or set YDB_PASSWORD',
		)
	return { kind: 'static', user: name, password }
}

function claimOfEnvironment(environment: Environment): Claim | undefined {
	const of = (name: string): string | undefined => environment[name] || undefined
	const isOn = (name: string): boolean => /^(1|true|yes)$/i.test(environment[name] ?? '')
	const claim = ((): { claim: Claim; from: string } | undefined => {
		const token = of('YDB_TOKEN')
		if (token !== undefined) return { claim: { kind: 'token', token }, from: 'YDB_TOKEN' }
		for (const name of ['YDB_METADATA_CREDENTIALS', 'USE_METADATA_CREDENTIALS'])
			if (isOn(name)) return { claim: { kind: 'metadata' }, from: name }
		for (const name of ['YDB_SERVICE_ACCOUNT_KEY_FILE_CREDENTIALS', 'SA_KEY_FILE']) {
			const file = of(name)
			if (file !== undefined) return { claim: { kind: 'service-account-key', file, from: name }, from: name }
		}
		const user = of('YDB_USER')
		const password = environment['YDB_PASSWORD']
		if (user === undefined) {
			if (of('YDB_PASSWORD') !== undefined)
				throw refuse('YDB_PASSWORD is set without a user name', 'set YDB_USER, or give --user')
			return undefined
		}
		if (password === undefined)
			throw refuse('YDB_USER is set without a password', 'set YDB_PASSWORD, or give --password-file or --no-password')
		return { claim: { kind: 'static', user, password }, from: 'YDB_USER' }
	})()
	if (claim !== undefined && isOn('YDB_ANONYMOUS_CREDENTIALS'))
		throw refuse(
			`${claim.from} and YDB_ANONYMOUS_CREDENTIALS are both set`,
			'unset one of them, or give credentials by flags',
		)
	return claim?.claim
}

/** Reads what a claim points at. Whatever is secret is remembered, so that no output can hold it. */
export async function credentialsOf(claim: Claim): Promise<Credentials> {
	switch (claim.kind) {
		case 'token':
			return { kind: 'token', token: keepSecret(claim.token) }
		case 'token-file':
			return { kind: 'token', token: keepSecret((await readSecret(claim.file, claim.from)).trim()) }
		case 'static':
			return { kind: 'static', user: claim.user, password: keepSecret(claim.password) }
		case 'static-file': {
			const password = (await readSecret(claim.file, claim.from)).replace(/\r?\n$/, '')
			return { kind: 'static', user: claim.user, password: keepSecret(password) }
		}
		case 'service-account-key':
			keepPrivateKey(await readSecret(claim.file, claim.from))
			return { kind: 'service-account-key', file: claim.file }
		default:
			return claim
	}
}

function keepPrivateKey(text: string): void {
	const key = /"private_key"\s*:\s*("(?:[^"\\]|\\.)*")/.exec(text)?.[1]
	if (key !== undefined) keepSecret(JSON.parse(key) as string)
}

async function readSecret(file: string, from: string): Promise<string> {
	let text: string
	try {
		text = await readFile(file, 'utf8')
	} catch (cause) {
		const why = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'does not exist' : 'cannot be read'
		throw new BackupError('CONFIG_INVALID', `the file ${file} of ${from} ${why}`, {
			advice: 'check the path and the rights of the file',
			cause,
		})
	}
	if (text.trim() === '' && from !== '--password-file')
		throw refuse(`the file ${file} of ${from} is empty`, 'put the secret into it, or name another file')
	return text
}

function refuse(message: string, advice: string): BackupError {
	return new BackupError('CONFIG_INVALID', message, { advice })
}
