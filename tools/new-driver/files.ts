/** The versions that a new package depends on. */
export interface Versions {
	readonly core: string
	readonly kit: string
	readonly typescript: string
	readonly vitest: string
	readonly contract: number
}

/** Where each template goes. */
const FILES: Readonly<Record<string, (name: string) => string>> = {
	'package.json': () => 'package.json',
	'tsconfig.json': () => 'tsconfig.json',
	gitignore: () => '.gitignore',
	'workflow.yml': () => '.github/workflows/test.yml',
	'README.md': () => 'README.md',
	'index.ts': () => 'src/index.ts',
	'storage.ts': (name) => `src/${name}-storage.ts`,
	'conformance.test.ts': () => 'test/conformance.test.ts',
}

export const TEMPLATES: readonly string[] = Object.keys(FILES)

/** What is wrong with the name of a driver, in words; undefined when nothing is. It becomes a URL scheme, a file and a class. */
export function nameProblem(name: string): string | undefined {
	if (!/^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/.test(name))
		return 'a name is small letters and digits, with single dashes inside'
	if (name.length > 40) return 'a name has at most 40 letters'
	if (['file', 's3', 'gs', 'az', 'http', 'https'].includes(name)) return `${name}:// is taken`
	return undefined
}

/** The files of a new driver package: path → text. `templates` are the texts by the names in {@link TEMPLATES}. */
export function driverFiles(
	name: string,
	templates: Readonly<Record<string, string>>,
	versions: Versions,
): Map<string, string> {
	const words: Record<string, string> = {
		name,
		Class: name.replaceAll(/(?:^|-)([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()),
		ENV: name.toUpperCase().replaceAll('-', '_'),
		...Object.fromEntries(Object.entries(versions).map(([key, value]) => [key, String(value)])),
	}
	return new Map(
		Object.entries(FILES).map(([template, pathOf]) => [
			pathOf(name),
			templates[template]!.replaceAll(/\{\{(\w+)\}\}/g, (whole, word: string) => words[word] ?? whole),
		]),
	)
}
