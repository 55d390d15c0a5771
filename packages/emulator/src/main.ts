import { parseArgs } from 'node:util'
import { startEmulator, VERSION } from './emulator.ts'
import { type Faults, noFaults } from './faults.ts'

const HELP = `ydb-emulator: a YDB that speaks the real protocol, for tests and trying things out

  --port N          TCP port, 0 lets the system choose (2136)
  --host ADDRESS    address to listen on (127.0.0.1)
  --database PATH   path of the database (/local)
  --data DIR        keep what is written there; in memory only without it
  --user NAME:PASSWORD   an administrator; may be repeated; clients must log in then
  --auth            clients must log in; without --user, as root without a password
  --fault NAME=VALUE     may be repeated; one of ${Object.keys(noFaults()).join(', ')}
  --version         the version
  --help            this text

  example: ydb-emulator --port 2136 --data ./scratch`

function faultsOf(words: readonly string[]): Partial<Faults> {
	const faults: Record<string, unknown> = {}
	for (const word of words) {
		const [name = '', value = ''] = word.split('=', 2)
		if (!(name in noFaults()) || name === 'onCopyTables') throw new TypeError(`unknown fault ${name}`)
		if (!/^(\d+|true|false)$/.test(value)) throw new TypeError(`fault ${name} takes a number, true or false`)
		faults[name] = JSON.parse(value)
	}
	return faults
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
		const port = Number(values.port)
		if (!Number.isInteger(port) || port < 0 || port > 65_535)
			throw new TypeError(`--port takes a number from 0 to 65535, not ${values.port}`)
		const users = Object.fromEntries(
			values.user.map((text) => [text.slice(0, text.indexOf(':')), text.slice(text.indexOf(':') + 1)]),
		)
		if (values.user.length === 0) users.root = ''
		const emulator = await startEmulator({
			port,
			host: values.host,
			database: values.database,
			faults: faultsOf(values.fault),
			...(values.data !== undefined && { dataDir: values.data }),
			...((values.auth || values.user.length > 0) && { auth: { users } }),
		})
		console.log(`ydb-emulator listens on ${emulator.connectionString}`)
		const stop = (): void => void emulator.close().then(() => process.exit(0))
		process.once('SIGTERM', stop).once('SIGINT', stop)
	} catch (error) {
		console.error(error instanceof Error ? error.message : error)
		process.exitCode = error instanceof TypeError ? 2 : 1
	}
}
