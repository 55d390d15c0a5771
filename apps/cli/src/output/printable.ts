/**
 * Text that may hold names from a database or a repository, fit for a terminal: control characters, which could move the
 * cursor or forge lines, are spelled out. Line breaks of our own text are added after this, never before.
 */
export function printable(text: string): string {
	return text.replaceAll(
		// oxlint-disable-next-line no-control-regex -- control characters are what this is about
		/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
		(character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
	)
}
