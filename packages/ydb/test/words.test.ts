// What the server says is shown to users; only its status and issue codes decide anything.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const SOURCES = join(import.meta.dirname, '../src')
/** Words of an error that something is looked for in. */
const LOOKS = [
	/\b(?:message|details|words|reason|advice|issues?)\b[^;\n]*\.(?:includes|match|matchAll|startsWith|endsWith|search|indexOf)\(/g,
	/\.(?:test|exec)\([^)]*\b(?:message|details|words|reason|issues?)\b/g,
	/\b(?:message|details)\b\s*[!=]==\s*['"`](?!['"`])/g,
]
/** Each with the reason why it may. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
	'call/failure.ts: details.includes(':
		'words of our own gRPC library about the size of a message; decides only that trying again is no use',
	'collections/explain.ts: .test(message': 'advice for the user beside the error; nothing branches on it',
}

test('nothing in this room is decided by the words of a server', () => {
	const found = globSync('**/*.ts', { cwd: SOURCES }).flatMap((file) => {
		const source = readFileSync(join(SOURCES, file), 'utf8')
		return source
			.split('\n')
			.filter((line) => !/^\s*(?:\/\/|\*|\/\*)/.test(line))
			.flatMap((line) =>
				LOOKS.flatMap((look) => [...line.matchAll(look)].map(([hit]) => `${file.replaceAll('\\', '/')}: ${hit}`)),
			)
	})
	expect(found.sort()).toEqual(Object.keys(EXCEPTIONS).sort())
})
