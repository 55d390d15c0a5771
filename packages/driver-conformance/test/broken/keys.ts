import { posix } from 'node:path'
import { type Flaw, rekeyed } from './flaw.ts'

export const keyFlaws: readonly Flaw[] = [
	{
		flaw: 'keys are case-folded',
		caughtBy: ['golden.repository', 'golden.copy', 'keys.case'],
		breaks: (good) => rekeyed(good, (key) => key.toLowerCase()),
	},
	{
		flaw: 'keys are normalised as unicode',
		caughtBy: ['keys.no-unicode'],
		breaks: (good) =>
			rekeyed(good, (key) => key.normalize('NFC').replaceAll(/[^\0-\x7F]/gu, (letter) => `_${letter.codePointAt(0)}`)),
	},
	{
		flaw: 'keys are percent-decoded',
		caughtBy: ['keys.no-percent'],
		breaks: (good) => rekeyed(good, (key) => (/%[0-9A-F]{2}/.test(key) ? decodeURIComponent(key) : key)),
	},
	{
		flaw: 'the query is cut off keys',
		caughtBy: ['keys.no-query'],
		breaks: (good) => rekeyed(good, (key) => key.replace(/\?.*$/, '')),
	},
	{
		flaw: 'odd characters are replaced in keys',
		caughtBy: ['keys.no-query', 'keys.no-percent', 'keys.no-unicode'],
		breaks: (good) => rekeyed(good, (key) => key.replaceAll(/[^A-Za-z0-9._=/-]/gu, '_')),
	},
	{
		flaw: 'keys are resolved as paths',
		caughtBy: ['keys.no-path'],
		breaks: (good) => rekeyed(good, (key) => posix.normalize(key).replace(/\/$/, '')),
	},
	{
		flaw: 'long keys are cut off',
		caughtBy: ['keys.longest'],
		breaks: (good) => rekeyed(good, (key) => (key.length === 512 ? key.slice(0, 400) : key)),
	},
	{
		flaw: 'a dot at the beginning of a name is dropped',
		caughtBy: ['keys.characters'],
		breaks: (good) => rekeyed(good, (key) => key.replace(/\/\.(?=[a-z])/, '/')),
	},
]
