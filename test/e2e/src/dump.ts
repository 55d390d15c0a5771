import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** Writes files below a directory; a path that ends with a slash is a directory. */
export async function writeFiles(root: string, files: Readonly<Record<string, string | Uint8Array>>): Promise<string> {
	for (const [path, content] of Object.entries(files)) {
		const at = join(root, path)
		await mkdir(path.endsWith('/') ? at : dirname(at), { recursive: true })
		if (!path.endsWith('/')) await writeFile(at, content)
	}
	return root
}

/** A `scheme.pb` of nullable columns, in the spelling of YDB's own tools. */
export function schemePb(columns: Readonly<Record<string, string>>, key: string, more = ''): string {
	const lines = Object.entries(columns).map(
		([name, type]) =>
			`columns {\n  name: "${name}"\n  type {\n    optional_type {\n      item {\n        type_id: ${type}\n      }\n    }\n  }\n}\n`,
	)
	return `${lines.join('')}primary_key: "${key}"\n${more}`
}
