import { readdir, readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { COMMAND_MODULES } from '../src/commands/command-modules.ts'
import { COMMANDS } from '../src/commands/index.ts'
import { readCommandLine, unknownCommand } from '../src/run/command-line.ts'
import { parsePairs } from '../src/run/pair.ts'

const names = Object.keys(COMMAND_MODULES)

test('the table that commands are run from and the one that help is made from hold the same commands', async () => {
	expect(Object.keys(COMMANDS).map((id) => id.replaceAll(':', ' '))).toEqual(names)
	for (const name of names) {
		const { default: Class } = await COMMAND_MODULES[name]!()
		expect(COMMANDS[name.replaceAll(' ', ':') as keyof typeof COMMANDS]).toBe(Class)
	}
})

test('every command has an example with long flags only and a description that is a lower-case fragment', () => {
	for (const [name, Class] of Object.entries(COMMANDS)) {
		expect(Class.examples.length, name).toBeGreaterThan(0)
		for (const example of Class.examples) expect(example, name).not.toMatch(/ -[a-z]\b/)
		const flags = Object.entries('flags' in Class ? (Class.flags ?? {}) : {})
		const texts = [Class.summary, ...flags.map(([, flag]) => (flag as { description?: string }).description)]
		for (const text of texts) expect(text, name).toMatch(/^(?![A-Z][a-z]).*[^.]$/s)
	}
})

test('commands are found before flags, with the longest name', () => {
	expect(readCommandLine(['backup', 'create', '--json', 'x'], names)).toMatchObject({
		command: 'backup create',
		rest: ['--json', 'x'],
		isJson: true,
	})
	expect(readCommandLine(['restore', 'latest', '--', '--json'], names)).toMatchObject({
		command: 'restore',
		isJson: false,
	})
	expect(readCommandLine(['help', 'restore'], names)).toMatchObject({ command: 'restore', wantsHelp: true })
	expect(readCommandLine(['backup', '--json'], names)).toMatchObject({ command: '', isJson: true })
	expect(readCommandLine([], names)).toMatchObject({ command: '', words: [] })
})

test('a mistyped command names the nearest one', () => {
	expect(unknownCommand(['backup', 'creat'], names).advice).toContain('"ydbackup backup create"')
	expect(unknownCommand(['restor', 'latest'], names).advice).toContain('"ydbackup restore"')
	expect(unknownCommand(['backup', 'frobnicate'], names).advice).toContain('backup verify')
	expect(unknownCommand([], names).message).toBe('no command is given')
})

test('pairs keep further equals signs, and a key may come once', () => {
	expect(parsePairs(['a=b=c', 'd='], '--label')).toEqual([
		['a', 'b=c'],
		['d', ''],
	])
	expect(() => parsePairs(['=x'], '--label')).toThrow(/--label "=x"/)
	expect(() => parsePairs(['a=1', 'a=2'], '--map')).toThrow(/--map gives "a" twice/)
})

test('every flag of every command stands in the docs', async () => {
	const directory = new URL('../../../docs/', import.meta.url)
	const pages = (await readdir(directory)).filter((name) => name.endsWith('.md'))
	const docs = (await Promise.all(pages.map((name) => readFile(new URL(name, directory), 'utf8')))).join('\n')
	for (const [name, Class] of Object.entries(COMMANDS))
		for (const flag of Object.keys({ ...Class.baseFlags, ...('flags' in Class ? Class.flags : {}) }))
			expect(docs, `--${flag} of ${name}`).toMatch(new RegExp(`--${flag}\\b`))
})
