export type Xml = string | readonly (readonly [name: string, content: Xml])[]

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

function print(content: Xml): string {
	if (typeof content === 'string') return content.replaceAll(/[&<>"]/gu, (one) => ENTITIES[one]!)
	return content.map(([name, inner]) => `<${name}>${print(inner)}</${name}>`).join('')
}

/** A document of S3. */
export function document(name: string, content: Xml): string {
	const space = name === 'Error' ? '' : ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
	return `<?xml version="1.0" encoding="UTF-8"?>\n<${name}${space}>${print(content)}</${name}>`
}

/** The parts that a CompleteMultipartUpload lists; undefined for what is none. It is read for nothing else. */
export function readParts(text: string): { readonly number: number; readonly etag: string }[] | undefined {
	if (!/<CompleteMultipartUpload[\s>]/u.test(text)) return undefined
	const parts: { number: number; etag: string }[] = []
	for (const [, part = ''] of text.matchAll(/<Part>(.*?)<\/Part>/gsu)) {
		const number = Number(/<PartNumber>\s*(\d{1,5})\s*<\/PartNumber>/u.exec(part)?.[1] ?? Number.NaN)
		const etag = /<ETag>\s*(?:"|&quot;|&#34;)?([0-9a-zA-Z-]{1,80})(?:"|&quot;|&#34;)?\s*<\/ETag>/u.exec(part)?.[1]
		if (Number.isNaN(number) || etag === undefined) return undefined
		parts.push({ number, etag })
	}
	return parts
}
