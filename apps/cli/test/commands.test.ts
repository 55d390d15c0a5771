import { mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { atOnce } from './support/at-once.ts'
import { type Database, startDatabase } from './support/database.ts'
import { mistakesOf, readSchema } from './support/schema-check.ts'
import { type Ran, type RunOptions, ydbackup } from './support/ydbackup.ts'

let database: Database
let directory: string
let env: NodeJS.ProcessEnv

beforeAll(async () => {
	directory = await mkdtemp(join(tmpdir(), 'ydbackup-cli-'))
	database = await startDatabase({ 'shop/orders': 300, 'shop/empty': 0, users: 40 })
	env = { ...database.env, YDBACKUP_REPO: join(directory, 'repo') }
	expect((await run('repo init')).document.result).toMatchObject({
		location: expect.stringContaining(join(directory, 'repo')),
	})
	expect(await run('backup create --label why=test')).toMatchObject({ code: 0 })
})
afterAll(async () => {
	await database?.[Symbol.asyncDispose]()
	await rm(directory, { recursive: true, force: true })
})

/** Runs a command with --json; its document must be what its schema says, whatever becomes of it. */
async function run(words: string, options: RunOptions = {}): Promise<Ran> {
	const ran = await ydbackup([...words.split(' '), '--json'], { ...options, env: { ...env, ...options.env } })
	if (ran.code !== null) expectSchema(ran)
	return ran
}

function expectSchema({ document, code, stdout }: Ran): void {
	const { command } = document
	if (command !== '')
		expect(mistakesOf(readSchema(`${command.replaceAll(' ', '-')}.json`), document), stdout).toEqual([])
	else expect(mistakesOf(readSchema('error.json'), document.error), stdout).toEqual([])
	expect({ code, hasError: document.error !== undefined }).toEqual({ code, hasError: code !== 0 })
}

test('every command keeps its schema', async () => {
	for (const words of [
		'driver list',
		'repo show',
		'backup list',
		'backup show',
		'backup show latest',
		'backup verify',
		'backup verify latest --level full',
		'backup create --dry-run',
		'restore latest --dry-run --to /local/dry',
		'restore latest --to /local/copies/a --verify-data',
		'restore latest --existing merge --include shop/orders',
		`backup copy latest --to ${join(directory, 'copied')}`,
		`backup export latest --to ${join(directory, 'dump')}`,
		`restore --from ${join(directory, 'dump')} --to copies/b --dry-run`,
		`restore --from ${join(directory, 'dump')} --to copies/b`,
	]) {
		const { code, stdout } = await run(words)
		expect({ words, code, stdout }).toMatchObject({ code: 0 })
	}
})

test('every error keeps the schema too, with the code and exit code of its kind', async () => {
	const bad = join(directory, 'bad')
	await writeFile(bad, 'x')
	const cases: [words: string, exit: number, code: string][] = [
		['', 2, 'CONFIG_INVALID'],
		['backup', 2, 'CONFIG_INVALID'],
		['backup explode', 2, 'CONFIG_INVALID'],
		['backup list --no-such-flag', 2, 'CONFIG_INVALID'],
		['backup list surplus', 2, 'CONFIG_INVALID'],
		['backup verify --level deep', 2, 'CONFIG_INVALID'],
		['backup create --concurrency none', 2, 'CONFIG_INVALID'],
		['backup create --label x', 2, 'CONFIG_INVALID'],
		['backup create --compression rar', 2, 'CONFIG_INVALID'],
		['backup create --db grpc://h:1/x --endpoint grpc://h:1', 2, 'CONFIG_INVALID'],
		['restore', 2, 'CONFIG_INVALID'],
		['restore ../../etc/passwd', 2, 'CONFIG_INVALID'],
		['restore latest --scheme-only --data-only', 2, 'CONFIG_INVALID'],
		['restore 20200101T000000Z-aaaa', 4, 'BACKUP_NOT_FOUND'],
		['restore latest', 5, 'PATH_EXISTS'],
		['repo init', 5, 'REPOSITORY_EXISTS'],
		[`repo show --repo ${join(directory, 'nowhere')}`, 4, 'REPOSITORY_NOT_FOUND'],
		[`repo init --repo ${bad}`, 2, 'LOCATION_INVALID'],
		['backup list --repo nosuch://place', 2, 'DRIVER_MISSING'],
		['backup create --path no/such', 4, 'PATH_NOT_FOUND'],
		['backup create --endpoint grpc://127.0.0.1:1', 6, 'DATABASE_UNREACHABLE'],
	]
	await atOnce(3, cases.toReversed(), async ([words, exit, expected]) => {
		const { code, document } = await run(words.trim())
		expect({ words, code, error: document.error?.code }).toEqual({ words, code: exit, error: expected })
		expect(document.error.message.length, words).toBeGreaterThan(10)
		expect(document.error.advice, words).toBeTruthy()
	})
})

test('without a repository the flag and the variable are named', async () => {
	const { code, document } = await run('backup list', { env: { YDBACKUP_REPO: '' } })
	expect(code).toBe(2)
	expect(document.error.advice).toMatch(/--repo.*YDBACKUP_REPO/)
})

test('people get tables on stdout, and nothing on stderr', async () => {
	const listed = await ydbackup(['backup', 'list'], { env })
	expect(listed).toMatchObject({ code: 0, stderr: '' })
	const [titles, row] = listed.stdout.split('\n')
	expect(titles).toMatch(/^ID +TAKEN +AGE +KIND +DATABASE +TABLES +ROWS +SIZE +STORED +STATE +PROVEN +LABELS$/)
	expect(row).toMatch(/^\d{8}T\d{6}Z-\w+ .* full .* 3 +340 .* complete +.* ago +why=test$/)
	const shown = await ydbackup(['backup', 'show'], { env })
	for (const part of ['shop/orders', 'shop/empty', 'users', '300', 'why=test', 'by the server too'])
		expect(shown.stdout).toContain(part)
	const drivers = await ydbackup(['driver', 'list'], { env })
	expect(drivers.stdout).toMatch(/^file:\/\/ +@ydbackup\/storage-fs/m)
})

test('people get errors on stderr, with advice and code, without a stack unless asked for', async () => {
	const plain = await ydbackup(['backup', 'show', '20200101T000000Z-aaaa'], { env })
	expect(plain).toMatchObject({ code: 4, stdout: '' })
	expect(plain.stderr).toMatch(/^error: .*20200101T000000Z-aaaa.*\nadvice: .*\ncode: BACKUP_NOT_FOUND \(exit 4\)\n$/)
	const debug = await ydbackup(['backup', 'show', '20200101T000000Z-aaaa', '--debug'], { env })
	expect(debug.stderr).toMatch(/\n {4}at /)
})

test('quiet prints nothing when all is well', async () => {
	expect(await ydbackup(['backup', 'verify', '--quiet'], { env })).toMatchObject({ code: 0, stdout: '', stderr: '' })
})

test('progress as JSON ends at 100 percent and stays on stderr', async () => {
	const { code, stderr, stdout } = await ydbackup(['backup', 'verify', '--level', 'full', '--progress', 'json'], {
		env,
	})
	expect(code).toBe(0)
	const events = stderr
		.trim()
		.split('\n')
		.map((line) => JSON.parse(line) as { ydbackup: number; type: string; percent?: number; rows?: number })
	expect(events.every(({ ydbackup }) => ydbackup === 1)).toBe(true)
	expect(events.at(-1)).toMatchObject({ type: 'progress', percent: 100, rows: 340 })
	expect(stdout).toMatch(/is whole/)
})

test('a damaged backup is reported with its findings beside the error, and exit code 3', async () => {
	const other = { YDBACKUP_REPO: join(directory, 'damaged') }
	await run('repo init', { env: other })
	const { document } = await run('backup create', { env: other })
	const data = join(directory, 'damaged', 'backups', document.result.id)
	const file = (await readdir(data, { recursive: true })).find((name) => /data_\d+\.csv/.test(name))
	await truncate(join(data, file ?? ''), 1)
	const verified = await run('backup verify', { env: other })
	expect(verified).toMatchObject({ code: 3, document: { result: { ok: false }, error: { code: 'OBJECT_DAMAGED' } } })
	expect(verified.document.result.findings).toHaveLength(1)
	const told = await ydbackup(['backup', 'verify'], { env: { ...env, ...other } })
	expect(told.stdout).toContain(file)
	expect(told.stderr).toContain('code: OBJECT_DAMAGED (exit 3)')
	await truncate(join(directory, 'damaged', 'catalog', document.result.id, 'manifest.json'), 10)
	const listed = await run('backup list', { env: other })
	expect(listed.document.result.backups).toMatchObject([{ state: 'damaged', id: document.result.id }])
	expect((await ydbackup(['backup', 'list'], { env: { ...env, ...other } })).stdout).toContain('MANIFEST_INVALID')
})

test('the first Ctrl-C stops in good order and names what is left, the second stops at once', async () => {
	database.emulator.faults.delayReadMs = 400
	try {
		let pressed = false
		const press = (text: string, child: { kill(signal: NodeJS.Signals): unknown }): void => {
			if (pressed || !text.includes('"name":"data"')) return
			pressed = true
			setTimeout(() => child.kill('SIGINT'), 100)
		}
		const stopped = await run('backup create --progress json', { onError: press })
		expect(stopped).toMatchObject({ code: 130, document: { error: { code: 'INTERRUPTED' } } })
		expect(`${stopped.document.error.message} ${stopped.document.error.advice}`).toMatch(/~ydbackup-/)
		expect(stopped.stderr).toContain('SIGINT: stopping in good order')
		const listed = await run('backup list')
		expect(listed.document.result.backups).toHaveLength(1)
		expect(listed.document.result.unfinished).toHaveLength(1)

		pressed = false
		const discarded = await run('backup create --discard --progress json', { onError: press })
		expect(discarded).toMatchObject({ code: 130, document: { error: { code: 'INTERRUPTED' } } })
		expect((await run('backup list')).document.result.unfinished).toHaveLength(1)

		pressed = false
		const killed = await run('backup create --progress json', {
			onError(text, child) {
				press(text, child)
				if (text.includes('stopping in good order')) child.kill('SIGTERM')
			},
		})
		expect(killed).toMatchObject({ code: 130, document: { error: { code: 'INTERRUPTED' } } })
	} finally {
		database.emulator.faults.delayReadMs = 0
	}
})

test('no secret stands in any output, right or wrong, at any verbosity', async () => {
	const canary = 'canary-5ecret/+"x'
	await using guarded = await startDatabase({ t: 3 }, { auth: { users: { root: 'right-password' } } })
	const file = join(directory, 'secret')
	await writeFile(file, `${canary}\n`)
	const attempts: [words: string[], more: NodeJS.ProcessEnv][] = [
		[['--user', 'root', '--password-file', file], {}],
		[['--token-file', file], {}],
		[['--sa-key-file', file], {}],
		[[], { YDB_TOKEN: canary }],
		[[], { YDB_USER: 'root', YDB_PASSWORD: canary }],
		[['--db', `grpc://root:${canary}@127.0.0.1:1/local`], {}],
		[['--endpoint', `grpc://${canary}@127.0.0.1:1`], {}],
		[['--password', canary], {}],
		[[`--token=${canary}`], {}],
		[['--repo', `s3://key:${canary}@bucket/x`], {}],
		[['--repo', `file:///x?secret=${canary}`], {}],
	]
	await atOnce(3, attempts, async ([words, more]) => {
		const ran = await ydbackup(['backup', 'create', '--debug', '--json', ...words], {
			env: { ...env, ...guarded.env, ...more, DEBUG: '' },
		})
		expect({ words, code: ran.code }).not.toMatchObject({ code: 0 })
		for (const form of [canary, encodeURIComponent(canary), JSON.stringify(canary).slice(1, -1)])
			expect(ran.stdout + ran.stderr, words.join(' ')).not.toContain(form)
	})
	const right = await ydbackup(['backup', 'create', '--dry-run', '--debug', '--json'], {
		env: { ...env, ...guarded.env, YDB_USER: 'root', YDB_PASSWORD: 'right-password' },
	})
	expect(right.code).toBe(0)
	expect(right.stdout + right.stderr).not.toContain('right-password')
})

test('help needs neither repository nor database, and a topic alone shows its commands', async () => {
	for (const words of [['--help'], ['backup'], ['backup', 'create', '--help'], ['help', 'restore'], []]) {
		const { code, stdout, stderr } = await ydbackup(words)
		expect({ words, code, stderr }).toEqual({ words, code: 0, stderr: '' })
		expect(stdout).toMatch(/USAGE/)
	}
	expect((await ydbackup(['--version'])).stdout).toMatch(/^@ydbackup\/cli\/\d+\.\d+\.\d+\S* \S+ node-v\d+/)
})
