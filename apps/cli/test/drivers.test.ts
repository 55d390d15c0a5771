import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { type Ran, ydbackup } from './support/ydbackup.ts'

const run = promisify(execFile)

const DRIVER = (scheme: string): string => `
export default {
	contract: 1,
	scheme: ${JSON.stringify(scheme)},
	summary: 'a test',
	options: [],
	examples: [],
	capabilities: {
		conditionalCreate: true, strongList: true, orderedList: true,
		rangeRead: { lacking: 'test' }, retention: { lacking: 'test' }, serverSideCopy: { lacking: 'test' },
		maxObjectBytes: 2 ** 40, maxKeyBytes: 512, maxConcurrency: 4,
	},
	redact: (location) => location.protocol,
	open: async () => { throw new Error('the store of ${scheme} is a test') },
}
`

interface Package {
	readonly name?: string
	readonly version?: string
	readonly contract?: number
	readonly scheme?: string
	readonly source?: string
	readonly scripts?: Readonly<Record<string, string>>
	/** Without it the package declares nothing. */
	readonly isDriver?: boolean
}

type Document = Ran['document']

interface Said {
	readonly code: number | null
	readonly result: Document['result']
	readonly error: Document['error']
	readonly stderr: string
}

interface Place {
	readonly path: string
	/** What `driver …` says; as JSON. */
	driver(...words: string[]): Promise<Said>
	run(...words: string[]): Promise<Said>
	pack(about: Package): Promise<string>
}

async function place(env: Record<string, string> = {}): Promise<Place> {
	const path = await mkdtemp(join(tmpdir(), 'ydbackup-drivers-'))
	onTestFinished(() => rm(path, { recursive: true, force: true }))
	const home = { HOME: path, XDG_DATA_HOME: join(path, 'data'), XDG_CONFIG_HOME: join(path, 'config'), ...env }
	const ran = async (words: string[]): Promise<Said> => {
		const { code, stderr, document } = await ydbackup([...words.slice(0, 2), '--json', ...words.slice(2)], {
			env: home,
		})
		return { code, stderr, result: document.result, error: document.error }
	}
	return {
		path,
		driver: (...words) => ran(['driver', ...words]),
		run: (...words) => ran(words),
		async pack({ name = 'ydbackup-storage-acme', version = '1.0.0', scheme = 'acme', contract = 1, ...more }) {
			const root = join(path, 'sources', `${name}-${version}-${scheme}`)
			const files = {
				'package.json': JSON.stringify({
					name,
					version,
					type: 'module',
					exports: { './driver': './driver.js' },
					scripts: more.scripts,
					...(more.isDriver !== false && { ydbackup: { contract, drivers: { [scheme]: { summary: 'a test' } } } }),
				}),
				'driver.js': more.source ?? DRIVER(scheme),
			}
			for (const [file, text] of Object.entries(files)) {
				await mkdir(dirname(join(root, file)), { recursive: true })
				await writeFile(join(root, file), text)
			}
			const { stdout } = await run('npm', ['pack', '--silent', '--pack-destination', path], { cwd: root })
			return join(path, stdout.trim())
		},
	}
}

interface Listed {
	readonly scheme: string
	readonly package: string
	readonly version: string
	readonly origin: string
}

const found = ({ result }: Said): string[][] =>
	(result.drivers as Listed[])
		.filter(({ origin }) => origin !== 'core')
		.map((driver) => [driver.scheme, `${driver.package} ${driver.version}`, driver.origin])

test('a driver is added, used, replaced by another version and removed', { timeout: 120_000 }, async () => {
	const here = await place()
	const added = await here.driver('add', await here.pack({ scripts: { postinstall: 'touch ran' } }))
	expect(added).toMatchObject({
		code: 0,
		result: { package: 'ydbackup-storage-acme', version: '1.0.0', schemes: ['acme'] },
	})
	const root = join(here.path, 'data/ydbackup/drivers')
	expect(await readdir(join(root, 'node_modules/ydbackup-storage-acme'))).not.toContain('ran')
	expect(found(await here.driver('list'))).toEqual([['acme', 'ydbackup-storage-acme 1.0.0', 'user']])
	const used = await here.run('backup', 'list', '--repo', 'acme://somewhere')
	expect(used.error.message).toContain('the store of acme is a test')

	expect(await here.driver('add', await here.pack({ version: '1.1.0' }))).toMatchObject({ code: 0 })
	expect(found(await here.driver('list'))).toEqual([['acme', 'ydbackup-storage-acme 1.1.0', 'user']])
	expect(await here.driver('remove', 'ydbackup-storage-acme')).toMatchObject({ code: 0 })
	expect(found(await here.driver('list'))).toEqual([])
	const gone = await here.driver('remove', 'ydbackup-storage-acme')
	expect([gone.code, gone.error.code]).toEqual([2, 'DRIVER_MISSING'])
	const own = await here.driver('remove', '@ydbackup/storage-fs')
	expect(own.error.advice).toContain('comes with ydbackup')
})

test(
	'what is no driver, or clashes, or cannot be loaded is taken out again, and what was there stays',
	{ timeout: 180_000 },
	async () => {
		const here = await place()
		await here.driver('add', await here.pack({}))
		const before = await readFile(join(here.path, 'data/ydbackup/drivers/package.json'), 'utf8')
		const bad: [Package, RegExp][] = [
			[{ name: 'nothing', isDriver: false }, /brings no storage driver/],
			[{ name: 'future', scheme: 'future', contract: 9 }, /contract 9/],
			[{ name: 'clash', scheme: 'file' }, /both serve file:\/\//],
			[{ name: 'throws', scheme: 'throws', source: 'throw new Error("no licence")' }, /no licence/],
			[{ name: 'shapeless', scheme: 'shapeless', source: 'export default {}' }, /contract/],
			[{ version: '2.0.0', source: 'export default 1' }, /ydbackup-storage-acme 2\.0\.0/],
		]
		for (const [about, message] of bad) {
			const refused = await here.driver('add', await here.pack(about))
			expect([refused.code, refused.error?.code], refused.stderr).toEqual([2, 'DRIVER_INVALID'])
			expect(refused.error.message).toMatch(message)
			expect(found(await here.driver('list'))).toEqual([['acme', 'ydbackup-storage-acme 1.0.0', 'user']])
			expect(await readFile(join(here.path, 'data/ydbackup/drivers/package.json'), 'utf8')).toBe(before)
		}
		const missing = await here.driver('add', './not-there.tgz')
		expect([missing.code, missing.error.code]).toEqual([2, 'DRIVER_INVALID'])
		const flag = await here.driver('add', '--', '--global')
		expect([flag.code, flag.error.code]).toEqual([2, 'CONFIG_INVALID'])
	},
)

test('damage in the data directory is named, and never breaks a command that does not need it', async () => {
	const here = await place()
	const root = join(here.path, 'data/ydbackup/drivers')
	const repo = join(here.path, 'repo')
	for (const [pjson, module] of [
		['{ this is no JSON', undefined],
		['{"dependencies":[]}', undefined],
		['{"dependencies":{"half":"1.0.0"}}', undefined],
		['{"dependencies":{"half":"1.0.0"}}', '{'],
		['{"dependencies":{"half":"1.0.0"}}', '[]'],
		[
			'{"dependencies":{"half":"1.0.0"}}',
			'{"name":"half","ydbackup":{"contract":1,"drivers":{"half":{"summary":"x"}}}}',
		],
	] as const) {
		await rm(root, { recursive: true, force: true })
		await mkdir(join(root, 'node_modules/half'), { recursive: true })
		await writeFile(join(root, 'package.json'), pjson)
		if (module !== undefined) await writeFile(join(root, 'node_modules/half/package.json'), module)
		const listed = await here.driver('list')
		expect(listed.code).toBe(0)
		expect(listed.result.drivers.length).toBeGreaterThan(3)
		if (pjson.includes('half') && !module?.startsWith('{"')) expect(listed.result.broken).toEqual(['half'])
		await rm(repo, { recursive: true, force: true })
		expect(await here.run('repo', 'init', '--repo', repo)).toMatchObject({ code: 0 })
	}
	const used = await here.run('backup', 'list', '--repo', 'half://x')
	expect([used.code, used.error.code]).toEqual([2, 'DRIVER_INVALID'])
	expect(used.error.message).toContain('half')
})

test('without npm the advice says so', async () => {
	const bin = await mkdtemp(join(tmpdir(), 'no-npm-'))
	onTestFinished(() => rm(bin, { recursive: true, force: true }))
	const here = await place({ PATH: bin })
	const refused = await here.driver('add', 'ydbackup-storage-acme')
	expect([refused.code, refused.error.code]).toEqual([2, 'CONFIG_INVALID'])
	expect(refused.error.message).toContain('npm cannot be found')
})
