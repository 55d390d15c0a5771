// npm run new-driver -- acme [directory]: a complete package of a storage driver, whose tests pass from the first minute.
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { DRIVER_CONTRACT } from '../../packages/core/src/index.ts'
import { driverFiles, nameProblem, TEMPLATES } from './files.ts'

const ROOT = new URL('../../', import.meta.url).pathname
const versionOf = async (path: string): Promise<string> =>
	(JSON.parse(await readFile(join(ROOT, path, 'package.json'), 'utf8')) as { version: string }).version

function refuse(text: string): never {
	console.error(`${text}\nusage: npm run new-driver -- NAME [DIRECTORY]`)
	process.exit(2)
}

const [name, asked, ...more] = process.argv.slice(2)
if (name === undefined || more.length > 0) refuse('a driver has one name')
const problem = nameProblem(name)
if (problem !== undefined) refuse(`${JSON.stringify(name)} cannot be the name of a driver: ${problem}`)
const directory = resolve(process.env['INIT_CWD'] ?? '.', asked ?? `ydbackup-storage-${name}`)
if ((await readdir(directory).catch(() => [])).length > 0) refuse(`${directory} is not empty`)

const templates = Object.fromEntries(
	await Promise.all(
		TEMPLATES.map(async (file) => [file, await readFile(join(ROOT, `tools/new-driver/template/${file}.tmpl`), 'utf8')]),
	),
) as Record<string, string>
const [core, kit, typescript, vitest] = await Promise.all([
	versionOf('packages/core'),
	versionOf('packages/driver-conformance'),
	versionOf('node_modules/typescript'),
	versionOf('node_modules/vitest'),
])
const versions = { core: `^${core}`, kit: `^${kit}`, typescript, vitest, contract: DRIVER_CONTRACT }
for (const [path, text] of driverFiles(name, templates, versions)) {
	await mkdir(dirname(join(directory, path)), { recursive: true })
	await writeFile(join(directory, path), text, { flag: 'wx' })
	console.log(join(relative(process.env['INIT_CWD'] ?? '.', directory), path))
}
await cp(join(ROOT, 'LICENSE'), join(directory, 'LICENSE'))
console.log(`\nnext: cd ${relative(process.env['INIT_CWD'] ?? '.', directory) || '.'} && npm install && npm test`)
