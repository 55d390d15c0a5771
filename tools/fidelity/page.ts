import { FAULT_NAMES } from '../../packages/emulator/src/faults.ts'
import type { Fact, Grade } from '../../packages/emulator/src/fidelity/fact.ts'
import { FIDELITY } from '../../packages/emulator/src/fidelity/index.ts'
import { ISSUE_CODES } from '../../packages/emulator/src/fidelity/issue-codes.ts'
import { READ_TEXTS } from '../../packages/emulator/src/fidelity/texts.ts'
import { LIMITS } from '../../packages/emulator/src/limits.ts'
import { REFUSALS as OBJECTS } from '../../packages/emulator/src/refusals.ts'
import { REFUSALS as QUERIES } from '../../packages/emulator/src/yql/errors.ts'
import { STATUS } from '../../packages/emulator/src/error.ts'
import type { Written } from './sources.ts'

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll(/\s*\n\s*/g, ' ')
const code = (text: string): string => (text === '' ? '' : `\`${cell(text).replaceAll('`', "'")}\``)
const table = (heads: readonly string[], rows: readonly (readonly string[])[]): string =>
	[heads, heads.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')
const statusName = (status: number): string =>
	Object.entries(STATUS).find(([, value]) => value === status)?.[0] ?? `${status}`

function factRows(facts: readonly Fact[]): string[][] {
	return facts.map(({ behaviour, grade, test, refused }) => [
		cell(behaviour),
		cell(grade),
		test === undefined ? (refused ? code(refused.query) : '') : code(test),
	])
}

function count(grades: readonly Grade[]): string {
	const kinds = ['verified', 'guess', 'unknown', 'unsupported']
	return kinds.map((kind) => `${grades.filter((grade) => grade.startsWith(kind)).length} ${kind}`).join(', ')
}

/** A refusal of the sources whose text a row of the tables shows. */
function gradeOf({ text }: Written): Grade | undefined {
	const pieces = text.split('…').filter((piece) => piece.trim().length > 3)
	const same = (shown: string): boolean =>
		pieces.length > 0 &&
		(pieces.every((piece) => shown.includes(piece.trim())) || pieces.some((piece) => piece.includes(shown)))
	const ofObject = OBJECTS.find((row) => same(row.text))
	if (ofObject) return ofObject.origin === 'guess' ? 'guess' : `verified: ${ofObject.origin.verified}`
	const read = Object.entries(READ_TEXTS).find(([beginning]) => text.startsWith(beginning))?.[1]
	return QUERIES.find((row) => same(row.message))?.source ?? read
}

/** The page of fidelity, from the tables that tests assert and from the sources. */
export function fidelityPage(written: readonly Written[]): string {
	const areas = [...Map.groupBy(FIDELITY, ({ area }) => area)]
	const texts = new Map<string, string[]>()
	for (const each of written)
		if (each.text !== '…')
			texts.set(`${each.status} ${each.code} ${each.text}`, [
				each.status ?? 'as the case may be',
				`${each.code || ''}`,
				code(each.text),
				cell(gradeOf(each) ?? 'guess'),
			])
	return `# What the emulator does as YDB does it

Made by \`npm run docs\` from the tables in \`src/fidelity\`, \`src/refusals.ts\`, \`src/yql/errors.ts\` and \`src/limits.ts\`; do not edit it. Tests
send what can be sent. No real YDB was at hand: \`verified\` means that it was read in the source that is named (sources, tests, proto files
or documentation of YDB, or what others measured on servers), \`guess\` that it was not, \`unknown\` that it may well be otherwise,
\`unsupported\` that it is refused by name. Clients may branch on status and issue code only.

${count(FIDELITY.map(({ grade }) => grade))}.

${areas.map(([area, facts]) => `## ${area}\n\n${table(['behaviour', 'known from', 'asserted by'], factRows(facts))}`).join('\n\n')}

## Limits

${table(
	['limit', 'value', 'known from'],
	Object.entries(LIMITS).map(([name, { value, source }]) => [code(name), `${value}`, cell(source)]),
)}

## Status and issue code

The code is that of the innermost issue; without a number the emulator gives none.

${table(
	['status', 'issue code', 'when', 'known from'],
	ISSUE_CODES.map(({ status, code: number, when, grade }) => [status, `${number || ''}`, cell(when), cell(grade)]),
)}

## Refusals that tests send

${table(
	['statement', 'status', 'issue code', 'text', 'known from'],
	[
		...QUERIES.map((row) => [
			code(row.query),
			row.status,
			`${row.issueCode || ''}`,
			code(row.message),
			cell(row.source),
		]),
		...OBJECTS.map((row) => [
			code(row.statements.at(-1)!),
			statusName(row.status),
			`${row.issueCode || ''}`,
			code(row.text),
			cell(row.origin === 'guess' ? 'guess' : `verified: ${row.origin.verified}`),
		]),
	],
)}

## Every text of a refusal

As the sources write them, with … for what changes. A text without a row above is a guess.

${table(
	['status', 'issue code', 'text', 'known from'],
	[...texts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row),
)}

## Switches

Trouble that is made on demand, for tests of clients: ${FAULT_NAMES.map(code).join(', ')}. See \`src/faults.ts\`.
`
}
