import { BackupError } from '@ydbackup/core'

/** `--label why=release` as a pair; the value may hold further equals signs. */
export function parsePair(text: string, flag: string): [string, string] {
	const at = text.indexOf('=')
	if (at > 0) return [text.slice(0, at), text.slice(at + 1)]
	throw new BackupError('CONFIG_INVALID', `${flag} ${JSON.stringify(text)} is not of the form KEY=VALUE`, {
		advice: `write it as ${flag} key=value`,
	})
}

/** Several pairs; the same key twice is refused, because only one could count. */
export function parsePairs(texts: readonly string[], flag: string): [string, string][] {
	const pairs = texts.map((text) => parsePair(text, flag))
	const keys = new Set<string>()
	for (const [key] of pairs) {
		if (keys.has(key))
			throw new BackupError('CONFIG_INVALID', `${flag} gives ${JSON.stringify(key)} twice`, {
				advice: 'give each key once',
			})
		keys.add(key)
	}
	return pairs
}
