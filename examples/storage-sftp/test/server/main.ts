import { spawn } from 'node:child_process'
import { type AddressInfo, createServer } from 'node:net'
import { argv, stdin, stdout } from 'node:process'
import ssh2, { type ServerChannel } from 'ssh2'
import { fingerprintOf } from '../../src/host-key.ts'
import { serveFiles, type SubsystemOptions } from './subsystem.ts'

/** What the process is started with, as JSON. */
export interface ServerOptions {
	/** OpenSSH's sftp-server, for the users that it can serve; our own when absent. */
	readonly sftpServer?: string | undefined
	readonly users: Readonly<Record<string, SubsystemOptions>>
	readonly password: string
	/** In OpenSSH's format. */
	readonly clientKey: string
	/** Passwords by prompts alone, as many servers have it. */
	readonly asksByPrompts?: boolean
}

const { sftpServer, users, password, clientKey, asksByPrompts = false } = JSON.parse(argv[2]!) as ServerOptions
const { Server, utils } = ssh2
const hostKey = utils.generateKeyPairSync('ed25519').private
const parsed = utils.parseKey(hostKey)
const allowed = utils.parseKey(clientKey)
if (parsed instanceof Error || allowed instanceof Error) throw new Error('no key')

function serve(channel: ServerChannel, options: SubsystemOptions): void {
	const { isReadOnly = false, ...more } = options
	if (sftpServer === undefined || Object.keys(more).length > 0) return serveFiles(channel, options)
	const child = spawn(sftpServer, isReadOnly ? ['-e', '-R'] : ['-e'], { stdio: ['pipe', 'pipe', 'ignore'] })
	channel.pipe(child.stdin)
	child.stdout.pipe(channel)
	for (const stream of [child, child.stdin, child.stdout, channel]) stream.on('error', () => undefined)
	child.on('close', () => channel.end())
	channel.on('close', () => child.kill())
}

const server = new Server({ hostKeys: [hostKey] }, (client) => {
	let user = ''
	client
		.on('error', () => undefined)
		.on('authentication', (context) => {
			user = context.username
			const isUser = Object.hasOwn(users, user)
			if (context.method === 'password' && !asksByPrompts && isUser && context.password === password)
				return context.accept()
			if (context.method === 'keyboard-interactive' && asksByPrompts)
				return context.prompt([{ prompt: 'Password: ', echo: false }], (answers) =>
					isUser && answers[0] === password ? context.accept() : context.reject(),
				)
			if (context.method === 'publickey' && isUser && context.key.data.equals(allowed.getPublicSSH())) {
				if (!context.signature || !context.blob) return context.accept()
				if (allowed.verify(context.blob, context.signature, context.hashAlgo) === true) return context.accept()
			}
			context.reject(asksByPrompts ? ['keyboard-interactive'] : ['password', 'publickey'])
		})
		.on('session', (accept) => {
			accept().on('subsystem', (acceptChannel, reject, { name }) => {
				if (name !== 'sftp') return reject()
				serve(acceptChannel(), users[user]!)
			})
		})
})
// Answers are small: one that waits for the next one costs the client's patience of 40 ms.
const listener = createServer({ noDelay: true }, (socket) => server.injectSocket(socket))
listener.listen(0, '127.0.0.1', () => {
	const { port } = listener.address() as AddressInfo
	const publicKey = parsed.getPublicSSH()
	stdout.write(
		`${JSON.stringify({ port, fingerprint: fingerprintOf(publicKey), knownHost: `ssh-ed25519 ${publicKey.toString('base64')}` })}\n`,
	)
})
// It does not outlive who started it.
stdin.resume().on('end', () => process.exit())
