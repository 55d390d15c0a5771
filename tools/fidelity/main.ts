// npm run docs: writes the page of the emulator's fidelity; with --check it says whether the page is that of the sources.
import { readFileSync, writeFileSync } from 'node:fs'
import { fidelityPage } from './page.ts'
import { writtenRefusals } from './sources.ts'

const PAGE = 'packages/emulator/FIDELITY.md'
const page = fidelityPage(writtenRefusals('packages/emulator/src'))
if (!process.argv.includes('--check')) writeFileSync(PAGE, page)
else if (readFileSync(PAGE, 'utf8') !== page) {
	console.error(`${PAGE} is not that of the sources: npm run docs`)
	process.exitCode = 1
}
