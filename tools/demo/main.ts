// npm run demo [-- --store file|s3|gcs|azure | --repo URL] [--fault NAME=VALUE]…: the tool's main job with the real binaries: back up, lose, restore,
// prove. Exits 0 only if all is equal. Stores other than a directory are servers on the loopback. Faults are those of ydb-emulator, on while the tool works.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { troublesOf } from '../../test/e2e/src/troubles.ts'
import { places } from '../../test/object-stores/src/places.ts'
import { chainAct } from './chain.ts'
import { ourPicture } from './our-reader.ts'
import { below, differences, only, type Picture, totals } from './picture.ts'
import { run, start, stop } from './shell.ts'
import { dropEverything, theirPicture } from './their-reader.ts'
import { troubled } from './troubled.ts'

const { values } = parseArgs({
	options: {
		store: { type: 'string', default: 'file' },
		repo: { type: 'string' },
		fault: { type: 'string', multiple: true, default: [] },
	},
})
const stores = ['file', ...Object.keys(places)]
if (!stores.includes(values.store)) {
	console.error(`--store is one of ${stores.join(', ')}, not ${values.store}`)
	process.exit(2)
}

const { lasting, passing } = troublesOf(values.fault.join(' '))
const scratch = await mkdtemp(join(tmpdir(), 'ydbackup-demo-'))
const place = values.store === 'file' ? undefined : await places[values.store as keyof typeof places]()
Object.assign(process.env, place?.env)
const repo = values.repo ?? place?.url ?? join(scratch, 'backups')
const title = (text: string): void => console.log(`\n\u001b[1;36m== ${text}\u001b[0m`)
const problems: string[] = []

function prove(what: string, reader: string, before: Picture, after: Picture): void {
	const found = differences(before, after, { partitionsMove: passing.splitEveryRows !== undefined })
	const { tables, rows, bytes } = totals(after)
	const seen = `${tables} tables, ${rows.toLocaleString('en')} rows, ${bytes.toLocaleString('en')} bytes`
	if (found.length === 0) console.log(`  equal   ${what}, read by ${reader}: ${seen}`)
	for (const problem of found) console.log(`  DIFFERS ${what}, read by ${reader}: ${problem}`)
	if (totals(before).rows === 0) found.push('nothing was compared')
	problems.push(...found)
}

title('a YDB with real data')
const emulator = await start(
	[
		...['ydb-emulator', '--port', '0', '--control', '0', '--data', join(scratch, 'ydb')],
		...Object.entries(lasting).flatMap(([name, value]) => ['--fault', `${name}=${String(value)}`]),
	],
	/(grpc:\/\/[^/\s]+)(\/\S+)[^]*control endpoint: (\S+)/,
)
try {
	const endpoint = emulator.match[1]!
	const database = emulator.match[2]!
	const at = ['--endpoint', endpoint, '--database', database]
	const from = ['--repo', repo]
	if (values.fault.length > 0) console.log(`\nwhile ydbackup works: ${values.fault.join(' ')}`)
	const tool = troubled(emulator.match[3]!, passing)
	await run(['npm', 'run', '--silent', 'seed', '--', ...at])
	const ours = await ourPicture(endpoint, database)
	const theirs = await theirPicture(endpoint, database)

	title('back it up')
	await tool(['ydbackup', 'repo', 'init', ...from])
	const created = await tool(['ydbackup', 'backup', 'create', ...at, ...from])
	await tool(['ydbackup', 'backup', 'list', ...from])
	const listed = await tool(['ydbackup', 'backup', 'list', '--json', ...from], { quiet: true })
	const first = (JSON.parse(listed.stdout) as { result: { backups: { id: string }[] } }).result.backups.at(-1)!.id
	await tool(['ydbackup', 'backup', 'show', 'latest', ...from])
	await tool(['ydbackup', 'backup', 'verify', 'latest', '--level', 'full', ...from])

	title('lose it')
	const dropped = await dropEverything(endpoint, database)
	console.log(`\n${dropped} objects dropped; the database is empty`)
	if ((await ourPicture(endpoint, database)).size > 0) throw new Error('the database is not empty')

	title('restore it, and prove it')
	const restored = await tool(['ydbackup', 'restore', 'latest', '--verify-data', ...at, ...from])
	console.log('')
	prove('restored in place', 'ydbackup', ours, await ourPicture(endpoint, database))
	prove('restored in place', 'ydb-sdk', theirs, await theirPicture(endpoint, database))

	await tool(['ydbackup', 'restore', 'latest', '--to', `${database}/copies/all`, ...at, ...from])
	const include = ['--include', 'geo/cities']
	await tool(['ydbackup', 'restore', 'latest', ...include, '--to', `${database}/copies/one`, ...at, ...from])
	console.log('')
	const all = { ours: await ourPicture(endpoint, database), theirs: await theirPicture(endpoint, database) }
	prove('restored to another path', 'ydbackup', ours, below(all.ours, 'copies/all'))
	prove('restored to another path', 'ydb-sdk', theirs, below(all.theirs, 'copies/all'))
	const one = (picture: Picture): Picture =>
		new Map([...below(picture, 'copies/one')].filter(([, { kind }]) => kind === 'table'))
	prove('one table to another path', 'ydbackup', only(ours, 'geo/cities'), one(all.ours))
	prove('one table to another path', 'ydb-sdk', only(theirs, 'geo/cities'), one(all.theirs))

	await chainAct({ endpoint, database, at, from, title, prove, run: tool })

	title('summary')
	const { tables, rows, bytes } = totals(ours)
	const shown = await tool(['ydbackup', 'backup', 'show', first, '--json', ...from], { quiet: true })
	const { result } = JSON.parse(shown.stdout) as { result: { counts: { storedBytes: number } } }
	const rate = (seconds: number): string => `${seconds.toFixed(1)} s, ${(bytes / 1e6 / seconds).toFixed(1)} MB/s`
	console.log(`
  tables           ${tables}
  rows             ${rows.toLocaleString('en')}
  row bytes        ${bytes.toLocaleString('en')}
  stored bytes     ${result.counts.storedBytes.toLocaleString('en')}
  backup           ${rate(created.seconds)} (with start-up and read-back)
  restore          ${rate(restored.seconds)} (with start-up, and every row read back and compared)
  differences      ${problems.length}
`)
	console.log(problems.length === 0 ? 'Everything that was lost is back, byte for byte.' : 'NOT EQUAL. See above.')
	process.exitCode = problems.length === 0 ? 0 : 1
} finally {
	await stop(emulator.child)
	await place?.[Symbol.asyncDispose]()
	await rm(scratch, { recursive: true, force: true })
}
