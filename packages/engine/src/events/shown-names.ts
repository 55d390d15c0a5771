/** Names as a message lists them: the first ones, and how many more there are. */
export function shownNames(names: readonly (string | undefined)[], most = 20): string {
	const more = names.length > most ? ` and ${names.length - most} more` : ''
	return `${names.slice(0, most).join(', ')}${more}`
}
