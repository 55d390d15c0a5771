import { Broken, demand } from './problem.ts'

/** A message of text protobuf: values of each field in order. Scalars are as they are spelt, strings are bytes. */
export interface Tree {
	readonly fields: ReadonlyMap<string, readonly (Tree | string | Buffer)[]>
}

const TOKEN =
	/\s+|#[^\n]*|([A-Za-z_][\w.]*|-?[\d.][\w.+-]*|-[a-z]+)|("(?:[^"\\\n]|\\[^\n])*"|'(?:[^'\\\n]|\\[^\n])*')|([{}<>[\]:;,])/gy
const DEEPEST = 100

/** Reads what protobuf's `TextFormat` prints. Throws {@link Broken}. */
export function readTree(text: string): Tree {
	const tokens: (string | Buffer)[] = []
	TOKEN.lastIndex = 0
	while (TOKEN.lastIndex < text.length) {
		const at = TOKEN.lastIndex
		const found = TOKEN.exec(text)
		if (found === null) throw new Broken(`is no text protobuf at character ${at}`)
		const [, word, quoted, mark] = found
		if (quoted !== undefined) tokens.push(unquote(quoted))
		else if (word !== undefined || mark !== undefined) tokens.push(word ?? mark ?? '')
	}
	let at = 0
	function message(end: string | undefined, depth: number): Tree {
		demand(depth < DEEPEST, 'is nested too deep')
		const fields = new Map<string, (Tree | string | Buffer)[]>()
		while (at < tokens.length && tokens[at] !== end) {
			const name = tokens[at++]
			demand(typeof name === 'string' && /^[A-Za-z_]/u.test(name), 'has a value where a field must be')
			const values = fields.get(name) ?? []
			fields.set(name, values)
			if (tokens[at] === ':') at++
			const next = tokens[at++]
			demand(next !== undefined, `ends within ${name}`)
			if (next === '{' || next === '<') {
				values.push(message(next === '{' ? '}' : '>', depth + 1))
				at++
			} else if (Buffer.isBuffer(next)) {
				const parts = [next]
				while (Buffer.isBuffer(tokens[at])) parts.push(tokens[at++] as Buffer)
				values.push(Buffer.concat(parts))
			} else values.push(next)
			if (tokens[at] === ';' || tokens[at] === ',') at++
		}
		demand(end === undefined || tokens[at] === end, 'has a message without an end')
		return { fields }
	}
	return message(undefined, 0)
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '"': '"', "'": "'", '\\': '\\' }

function unquote(quoted: string): Buffer {
	const parts: Buffer[] = []
	for (const [piece] of quoted.slice(1, -1).matchAll(/[^\\]+|\\(?:[0-7]{1,3}|x[0-9A-Fa-f]{1,2}|.)/gsu)) {
		if (!piece.startsWith('\\')) parts.push(Buffer.from(piece))
		else if (/^\\[0-7]/u.test(piece)) parts.push(Buffer.of(Number.parseInt(piece.slice(1), 8) & 255))
		else if (piece[1] === 'x') parts.push(Buffer.of(Number.parseInt(piece.slice(2), 16)))
		else parts.push(Buffer.from(ESCAPES[piece[1]!] ?? piece[1]!))
	}
	return Buffer.concat(parts)
}

export function messages(tree: Tree | undefined, name: string): Tree[] {
	return (tree?.fields.get(name) ?? []).filter((value): value is Tree => typeof value === 'object' && 'fields' in value)
}

export function text(tree: Tree | undefined, name: string): string | undefined {
	const value = tree?.fields.get(name)?.[0]
	return typeof value === 'string' ? value : Buffer.isBuffer(value) ? value.toString() : undefined
}
