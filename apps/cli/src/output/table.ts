import { printable } from './printable.ts'

export interface TableColumn<Row> {
	readonly title: string
	readonly align?: 'left' | 'right'
	cell(row: Row): string
}

/** Width of text on a terminal: East Asian wide characters and emoji take two cells, combining marks none. */
export function widthOf(text: string): number {
	let width = 0
	for (const character of text) {
		if (/\p{Mark}|\u200d|\ufe0f/u.test(character)) continue
		width +=
			/[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u.test(
				character,
			)
				? 2
				: 1
	}
	return width
}

/** Rows under titles, aligned, two spaces apart. */
export function tableText<Row>(rows: readonly Row[], columns: readonly TableColumn<Row>[]): string {
	const lines = [
		columns.map(({ title }) => title),
		...rows.map((row) => columns.map(({ cell }) => printable(cell(row)))),
	]
	const widths = columns.map((_, at) => Math.max(...lines.map((line) => widthOf(line[at] ?? ''))))
	const pad = (text: string, at: number): string => {
		const space = ' '.repeat((widths[at] ?? 0) - widthOf(text))
		return columns[at]?.align === 'right' ? space + text : text + space
	}
	return lines.map((line) => line.map(pad).join('  ').trimEnd()).join('\n')
}

/** `name  value` lines, aligned; what is undefined is left out. */
export function factsText(facts: Readonly<Record<string, string | undefined>>): string {
	const known = Object.entries(facts).filter((fact): fact is [string, string] => fact[1] !== undefined)
	const width = Math.max(0, ...known.map(([name]) => name.length))
	return known.map(([name, value]) => `${name.padEnd(width)}  ${printable(value)}`).join('\n')
}
