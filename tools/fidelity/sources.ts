import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A refusal as it is written in the sources of the emulator. */
export interface Written {
	readonly file: string
	/** Undefined where only a run can tell. */
	readonly status: string | undefined
	readonly code: number
	/** With … for what is known at run time only. */
	readonly text: string
}

/** How refusals are made: where status, text and code stand among the arguments, or what they always are. */
const MAKERS: Readonly<Record<string, { status: number | string; text: number; code: number | undefined }>> = {
	'new YdbError': { status: 0, text: 1, code: 2 },
	'throw refused': { status: 0, text: 1, code: 2 },
	typeError: { status: 'GENERIC_ERROR', text: 1, code: undefined },
	grammarError: { status: 'GENERIC_ERROR', text: 1, code: undefined },
	syntaxError: { status: 'GENERIC_ERROR', text: 1, code: undefined },
	'.unsupported': { status: 'UNSUPPORTED', text: 0, code: undefined },
}
const CALL = /(?<!function )(new YdbError|throw refused|typeError|grammarError|syntaxError|\.unsupported)\(/g

/** The arguments of a call whose opening bracket ends at `from`. */
function argumentsAt(source: string, from: number): string[] {
	const found: string[] = []
	/** Depths at which `${` stand. */
	const holes: number[] = []
	let quote = ''
	let depth = 0
	let start = from
	for (let at = from; at < source.length; at++) {
		const char = source[at]!
		if (quote !== '') {
			if (char === '\\') at++
			else if (char === quote) quote = ''
			else if (quote === '`' && char === '$' && source[at + 1] === '{') {
				holes.push(depth++)
				quote = ''
				at++
			}
		} else if (`'"\``.includes(char)) quote = char
		else if ('([{'.includes(char)) depth++
		else if (')]}'.includes(char)) {
			if (depth === 0) return [...found, source.slice(start, at).trim()]
			depth--
			if (holes.at(-1) === depth) {
				holes.pop()
				quote = '`'
			}
		} else if (char === ',' && depth === 0) {
			found.push(source.slice(start, at).trim())
			start = at + 1
		}
	}
	throw new Error('a call without an end')
}

/** A text as clients see it, or undefined when it is not written there. */
function textOf(argument: string): string | undefined {
	const [, , written] = /^(['"`])([\s\S]*)\1$/.exec(argument) ?? []
	return written?.replaceAll(/\$\{(?:[^{}]|\{[^{}]*\})*\}/g, '…').replaceAll(/\\(.)/g, '$1')
}

function numberOf(argument: string | undefined, source: string): number {
	if (argument === undefined || argument === '') return 0
	const named = new RegExp(`const ${argument} = ([\\d_]+)`).exec(source)?.[1]
	return Number((named ?? argument).replaceAll('_', ''))
}

/** Every refusal that the sources below a folder make; those whose text comes from elsewhere are left out. */
export function writtenRefusals(folder: string): Written[] {
	const found: Written[] = []
	for (const file of globSync('**/*.ts', { cwd: folder }).sort()) {
		const source = readFileSync(join(folder, file), 'utf8')
		for (const call of source.matchAll(CALL)) {
			const maker = MAKERS[call[1]!]!
			const given = argumentsAt(source, call.index + call[0].length)
			const text = textOf(given[maker.text] ?? '')
			const code = maker.code === undefined ? 0 : numberOf(given[maker.code], source)
			if (Number.isNaN(code)) continue
			const status = typeof maker.status === 'string' ? maker.status : textOf(given[maker.status] ?? '')
			if (text === undefined && status === undefined) continue
			const whole = text === undefined ? '…' : call[1] === '.unsupported' ? `${text} is not emulated` : text
			found.push({ file: file.replaceAll('\\', '/'), status, code, text: whole })
		}
	}
	return found
}
