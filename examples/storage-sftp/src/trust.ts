import { readFile } from 'node:fs/promises'
import { BackupError } from '@ydbackup/core'
import { fingerprintOf, keyTypeOf, type KnownKeys, knownKeysOf } from './host-key.ts'
import type { SftpSettings } from './location.ts'

export interface Trust {
	/** Types to ask the server for, where only keys of some types are known. */
	readonly types: readonly string[] | undefined
	/** Why a key is not trusted; undefined when it is. */
	objection(key: Uint8Array): BackupError | undefined
}

/** What decides about the server's key: the fingerprint that was given, or else the file of known hosts. No key is trusted because it is the first. */
export async function trustOf(settings: SftpSettings): Promise<Trust> {
	const { shown, host, port, hostKey, knownHosts } = settings
	const refused = (what: string, advice: string): BackupError =>
		new BackupError('STORAGE_PERMISSION', `cannot open ${shown}: ${what}`, { advice })
	if (hostKey !== undefined)
		return {
			types: undefined,
			objection(key) {
				const shows = fingerprintOf(key)
				if (shows === hostKey) return undefined
				return refused(
					`the server shows the host key ${shows} (${keyTypeOf(key)}), and ${hostKey} was given`,
					'somebody may be between: ask the administrator of the server before you change hostKey',
				)
			},
		}
	const { known, revoked } = knownHosts === undefined ? NONE : await knownIn(knownHosts, host, port)
	return {
		types: known.length > 0 ? known.flatMap((key) => algorithmsOf(keyTypeOf(key))) : undefined,
		objection(key) {
			const shows = `the host key ${fingerprintOf(key)} (${keyTypeOf(key)})`
			if (revoked.some((one) => one.equals(key)))
				return refused(`the server shows ${shows}, which ${knownHosts} says is revoked`, 'do not use this server')
			if (known.some((one) => one.equals(key))) return undefined
			if (known.length > 0)
				return refused(
					`the server shows ${shows}, and ${knownHosts} has another one`,
					'somebody may be between: ask the administrator of the server before you change that file',
				)
			return refused(
				`the server shows ${shows}, and ${knownHosts ?? 'no file of known hosts'} does not know it`,
				`compare it with what the administrator of the server says, then add hostKey=${encodeURIComponent(fingerprintOf(key))} to the URL`,
			)
		},
	}
}

const NONE: KnownKeys = { known: [], revoked: [] }

async function knownIn(path: string, host: string, port: number): Promise<KnownKeys> {
	try {
		return knownKeysOf(await readFile(path, 'utf8'), host, port)
	} catch (error) {
		const { code } = error as NodeJS.ErrnoException
		if (code === 'ENOENT') return NONE
		throw new BackupError('CONFIG_INVALID', `cannot read the known hosts in ${path}: ${code}`, {
			advice: 'give knownHosts with a file that can be read, or hostKey',
			cause: error,
		})
	}
}

function algorithmsOf(type: string): readonly string[] {
	return type === 'ssh-rsa' ? ['rsa-sha2-512', 'rsa-sha2-256', 'ssh-rsa'] : [type]
}
