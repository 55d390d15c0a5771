import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { startEmulator, VERSION } from './emulator.ts'
import { FAULT_NAMES, faultsOf } from './faults.ts'

const HELP = `ydb-emulator: a YDB that speaks the real protocol, for tests and trying things out

  --port N          TCP port, 0 lets the system choose (2136)
  --host ADDRESS    address to listen on (127.0.0.1)
  --advertise NAME  name or address that clients are told to connect to (that of --host)
  --nodes N         nodes of the cluster, each with a port of its own (1)
  --tls-cert FILE --tls-key FILE   PEM; clients connect with grpcs:// then
  --store-ca FILE   PEM of authorities for the stores of exports and imports, besides those of the system
  --control N       port of the control endpoint on 127.0.0.1 (none)
  --database PATH   path of the database (/local)
  --data DIR        keep what is written there; in memory only without it
  --user NAME:PASSWORD   an administrator; may be repeated; clients must log in then
  --auth            clients must log in; without --user, as root without a password
  --fault NAME=VALUE     may be repeated; those of the README: ${FAULT_NAMES.join(', ')}
  --version         the version
  --help            this text

  example: ydb-emulator --port 2136 --data ./scratch`

function numberOf(option: string, text: string, most: number): number {
	const number = Number(text)
	if (text === '' || !Number.isInteger(number) || number < 0 || number > most)
		throw new TypeError(`${option} takes a number from 0 to ${most}, not ${text}`)
	return number
}

/** The command `ydb-emulator`. */
export async function main(argv: readonly string[]): Promise<void> {
	try {
		const { values } = parseArgs({
			args: [...argv],
			options: {
				port: { type: 'string', default: '2136' },
				host: { type: 'string', default: '127.0.0.1' },
				database: { type: 'string', default: '/local' },
				data: { type: 'string' },
				advertise: { type: 'string' },
				nodes: { type: 'string', default: '1' },
				'tls-cert': { type: 'string' },
				'tls-key': { type: 'string' },
				'store-ca': { type: 'string' },
				control: { type: 'string' },
				user: { type: 'string', multiple: true, default: [] },
				auth: { type: 'boolean', default: false },
				fault: { type: 'string', multiple: true, default: [] },
				help: { type: 'boolean', default: false },
				version: { type: 'boolean', default: false },
			},
		})
		if (values.help) {
			console.log(HELP)
			return
		}
		if (values.version) {
			console.log(`ydb-emulator ${VERSION}`)
			return
		}
		const port = numberOf('--port', values.port, 65_535)
		const { 'tls-cert': cert, 'tls-key': key } = values
		if ((cert === undefined) !== (key === undefined)) throw new TypeError('--tls-cert and --tls-key belong together')
		const users = Object.fromEntries(
			values.user.map((text) => [text.slice(0, text.indexOf(':')), text.slice(text.indexOf(':') + 1)]),
		)
		if (values.user.length === 0) users.root = ''
		const emulator = await startEmulator({
			port,
			host: values.host,
			database: values.database,
			nodes: Math.max(1, numberOf('--nodes', values.nodes, 100)),
			...(values.advertise !== undefined && { advertise: values.advertise }),
			...(values.control !== undefined && { controlPort: numberOf('--control', values.control, 65_535) }),
			...(cert !== undefined && key !== undefined && { tls: { cert: await readFile(cert), key: await readFile(key) } }),
			...(values['store-ca'] !== undefined && { storeCa: await readFile(values['store-ca'], 'utf8') }),
			faults: faultsOf(values.fault),
			onNotice: (text) => console.error(text),
			...(values.data !== undefined && { dataDir: values.data }),
			...((values.auth || values.user.length > 0) && { auth: { users } }),
		})
		console.log(`ydb-emulator listens on ${emulator.connectionString}`)
		if (emulator.controlUrl) console.log(`control endpoint: ${emulator.controlUrl}`)
		const stop = (): void => void emulator.close().then(() => process.exit(0))
		process.once('SIGTERM', stop).once('SIGINT', stop)
	} catch (error) {
		console.error(error instanceof Error ? error.message : error)
		process.exitCode = error instanceof TypeError ? 2 : 1
	}
}
