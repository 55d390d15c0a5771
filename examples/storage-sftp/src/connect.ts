import { readFile } from 'node:fs/promises'
import { BackupError } from '@ydbackup/core'
import type { AuthenticationType, Client, ConnectConfig, ServerHostKeyAlgorithm } from 'ssh2'
import { connectionError } from './failure.ts'
import { Files } from './files.ts'
import type { SftpSettings } from './location.ts'
import { trustOf } from './trust.ts'

const READY_MS = 20_000
const KEEPALIVE_MS = 10_000

/** Connects and logs in, within 20 seconds or a little more. Errors say which of the two did not work. */
export async function connect(settings: SftpSettings): Promise<Files> {
	const { shown, user, password } = settings
	const [{ default: ssh2 }, trust, login] = await Promise.all([import('ssh2'), trustOf(settings), loginOf(settings)])
	let objection: BackupError | undefined
	const client = new ssh2.Client()
	const config: ConnectConfig = {
		...login,
		host: settings.host,
		port: settings.port,
		username: user,
		readyTimeout: READY_MS,
		// A connection that is dead is known to be within half a minute.
		keepaliveInterval: KEEPALIVE_MS,
		keepaliveCountMax: 2,
		hostVerifier: (key: Buffer): boolean => {
			objection = trust.objection(key)
			return objection === undefined
		},
		...(trust.types && { algorithms: { serverHostKey: trust.types as ServerHostKeyAlgorithm[] } }),
	}
	try {
		const sftp = await new Promise<ConstructorParameters<typeof Files>[1]>((resolve, reject) => {
			const timer = setTimeout(
				() => reject(Object.assign(new Error('no SFTP'), { level: 'client-timeout' })),
				READY_MS + 5000,
			)
			const failed = (error: Error & { level?: string }): void => {
				// One way to log in less; the others are still tried.
				if (error.level === 'agent') return
				clearTimeout(timer)
				reject(error)
			}
			client
				// Each request is a packet of its own: waiting to fill segments costs more than it saves.
				.on('connect', () => client.setNoDelay(true))
				.on('error', failed)
				.on('close', () => failed(new Error('the server closed the connection')))
				.on('keyboard-interactive', (_name, _instructions, _language, prompts, finish) =>
					finish(prompts.map(() => password ?? '')),
				)
				.on('ready', () =>
					client.sftp((error, opened) => {
						clearTimeout(timer)
						if (error) reject(noSftp(shown, error))
						else resolve(opened)
					}),
				)
			begin(client, config, shown)
		})
		return new Files(client, sftp, shown)
	} catch (error) {
		client.destroy()
		throw objection ?? connectionError(error, shown, user)
	}
}

function begin(client: Client, config: ConnectConfig, shown: string): void {
	try {
		client.connect(config)
	} catch (error) {
		// It throws for a key that it cannot read, and says no more than its format.
		throw new BackupError('CONFIG_INVALID', `cannot open ${shown}: ${error instanceof Error ? error.message : error}`, {
			advice: 'check the private key and YDBACKUP_SFTP_PASSPHRASE',
		})
	}
}

function noSftp(shown: string, cause: Error): BackupError {
	return new BackupError('STORAGE_PERMANENT', `cannot open ${shown}: the server gives no SFTP (${cause.message})`, {
		advice: 'check that the SFTP subsystem is on',
		cause,
	})
}

/** The ways to log in that are given, in the order in which ssh tries them. */
async function loginOf({ shown, identityFile, passphrase, password, agent }: SftpSettings): Promise<ConnectConfig> {
	const ways: AuthenticationType[] = []
	if (identityFile !== undefined) ways.push('publickey')
	if (agent !== undefined) ways.push('agent')
	if (password !== undefined) ways.push('password', 'keyboard-interactive')
	if (ways.length === 0)
		throw new BackupError('CONFIG_INVALID', `cannot open ${shown}: there is nothing to log in with`, {
			advice: 'add identityFile=… to the URL, or set SSH_AUTH_SOCK or YDBACKUP_SFTP_PASSWORD',
		})
	return {
		authHandler: ways,
		tryKeyboard: password !== undefined,
		...(identityFile !== undefined && { privateKey: await keyIn(identityFile) }),
		...(passphrase !== undefined && { passphrase }),
		...(agent !== undefined && { agent }),
		...(password !== undefined && { password }),
	}
}

async function keyIn(path: string): Promise<Buffer> {
	try {
		return await readFile(path)
	} catch (error) {
		throw new BackupError(
			'CONFIG_INVALID',
			`cannot read the private key in ${path}: ${(error as NodeJS.ErrnoException).code}`,
			{
				advice: 'give identityFile with a file that this user may read',
				cause: error,
			},
		)
	}
}
