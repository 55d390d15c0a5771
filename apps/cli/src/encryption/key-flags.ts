import * as Flags from '@oclif/core/flags'
import type { KeyProvider } from '@ydbackup/core'

import { keyProvider } from './key-providers.ts'
import { type KeySource, parseKeySource } from './key-source.ts'

export const keyFlags = {
	'encryption-key': Flags.string({
		multiple: true,
		multipleNonGreedy: true,
		helpValue: 'SOURCE',
		helpGroup: 'ENCRYPTION',
		description:
			'where a key is: file:PATH (raw bytes), env:NAME or command:COMMAND (hex or base64); may be given more than once, where backups have different keys; default: YDBACKUP_ENCRYPTION_KEY, which holds such a source',
	}),
	'encryption-key-file': Flags.string({
		helpValue: 'PATH',
		helpGroup: 'ENCRYPTION',
		description:
			'the same as --encryption-key file:PATH; default: YDB_ENCRYPTION_KEY (hex) or YDB_ENCRYPTION_KEY_FILE, as the ydb CLI has them',
	}),
}

interface KeyFlags {
	readonly 'encryption-key'?: readonly string[] | undefined
	readonly 'encryption-key-file'?: string | undefined
}

/** Keys that are meant, the one to encrypt with first; flags win over the environment. Nothing is read yet. Errors: `CONFIG_INVALID`. */
export function keysOfFlags(flags: KeyFlags, environment: NodeJS.ProcessEnv = process.env): KeyProvider[] {
	const { 'encryption-key': sources = [], 'encryption-key-file': file } = flags
	const given = [
		...(file === undefined ? [] : [{ kind: 'file', path: file } as const]),
		...sources.map((text) => parseKeySource(text, '--encryption-key')),
	]
	const chosen = given.length > 0 ? given : sourcesOfEnvironment(environment)
	return chosen.map((one) => keyProvider(one, environment))
}

/** The two names of the `ydb` CLI come behind our own. */
function sourcesOfEnvironment(environment: NodeJS.ProcessEnv): KeySource[] {
	const { YDBACKUP_ENCRYPTION_KEY: source, YDB_ENCRYPTION_KEY: key, YDB_ENCRYPTION_KEY_FILE: path } = environment
	if (source) return [parseKeySource(source, 'YDBACKUP_ENCRYPTION_KEY')]
	if (key) return [{ kind: 'env', name: 'YDB_ENCRYPTION_KEY' }]
	return path ? [{ kind: 'file', path }] : []
}
