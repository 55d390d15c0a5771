import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import ssh2 from 'ssh2'
import type { ServerOptions } from './main.ts'

/** Where systems have OpenSSH's own server of files. */
export const OPENSSH: string | undefined = [
	process.env['YDBACKUP_TEST_SFTP_SERVER'] ?? '',
	'/usr/lib/openssh/sftp-server',
	'/usr/libexec/openssh/sftp-server',
	'/usr/libexec/sftp-server',
	'/usr/lib/ssh/sftp-server',
].find((path) => path !== '' && existsSync(path))

export interface SftpServer extends AsyncDisposable {
	readonly port: number
	/** Of the host key. */
	readonly fingerprint: string
	/** Type and key, as in a file of known hosts. */
	readonly knownHost: string
	readonly password: string
	/** The directory that it may serve; there is more in it than a repository. */
	readonly directory: string
	/** File with the private key that may log in; the other one is not known. */
	readonly identityFile: string
	readonly strangeFile: string
	/** The location of a directory below. */
	url(path: string, more?: Readonly<Record<string, string>>): URL
}

export const PASSWORD = 'correct horse battery'

/** Starts a server in a process of its own. */
export async function startSftpServer(options: Partial<ServerOptions> = {}): Promise<SftpServer> {
	const directory = await mkdtemp(join(tmpdir(), 'ydbackup-sftp-'))
	const [identityFile, strangeFile] = [join(directory, 'id'), join(directory, 'strange')]
	const [known, strange] = [ssh2.utils.generateKeyPairSync('ed25519'), ssh2.utils.generateKeyPairSync('ed25519')]
	await Promise.all([
		writeFile(identityFile, known.private, { mode: 0o600 }),
		writeFile(strangeFile, strange.private, { mode: 0o600 }),
	])
	const all: ServerOptions = {
		users: { writer: {}, reader: { isReadOnly: true } },
		password: PASSWORD,
		clientKey: known.public,
		...options,
	}
	const child = spawn(
		process.execPath,
		['--conditions=@ydbackup/source', fileURLToPath(new URL('main.ts', import.meta.url)), JSON.stringify(all)],
		{ stdio: ['pipe', 'pipe', 'inherit'] },
	)
	const closed = once(child, 'close')
	const lines = createInterface({ input: child.stdout })
	const [line] = (await once(lines, 'line', { signal: AbortSignal.timeout(20_000) })) as [string]
	const told = JSON.parse(line) as Pick<SftpServer, 'port' | 'fingerprint' | 'knownHost'>
	return {
		...told,
		password: PASSWORD,
		directory,
		identityFile,
		strangeFile,
		url(path, more = {}) {
			const url = new URL(`sftp://127.0.0.1:${told.port}${directory}/${path}`)
			for (const [name, value] of Object.entries({ user: 'writer', hostKey: told.fingerprint, ...more }))
				if (value !== '') url.searchParams.set(name, value)
			return url
		},
		async [Symbol.asyncDispose]() {
			child.kill('SIGKILL')
			await closed
			await rm(directory, { recursive: true, force: true })
		},
	}
}
