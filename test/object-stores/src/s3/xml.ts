/** A value of an element: text, elements by name, or one element for each item of a list. Absent ones are left out. */
export type XmlValue =
	| string
	| number
	| boolean
	| undefined
	| readonly XmlValue[]
	| { readonly [name: string]: XmlValue }

const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
const NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/'

function escaped(text: string): string {
	return text
		.replaceAll('&', '&amp;')
		.replaceAll('<', '&lt;')
		.replaceAll('>', '&gt;')
		.replaceAll('"', '&quot;')
		.replaceAll('\r', '&#13;')
}

function written(name: string, value: XmlValue): string {
	if (value === undefined) return ''
	if (Array.isArray(value)) return value.map((item: XmlValue) => written(name, item)).join('')
	if (typeof value !== 'object') return `<${name}>${escaped(String(value))}</${name}>`
	return `<${name}>${Object.entries(value)
		.map(([name, value]) => written(name, value))
		.join('')}</${name}>`
}

/** An XML document without a namespace, as errors are. */
export function element(name: string, value: XmlValue): string {
	return DECLARATION + written(name, value)
}

/** An XML document in the namespace of S3. */
export function document(name: string, value: XmlValue): string {
	return DECLARATION + written(name, value).replace(`<${name}>`, `<${name} xmlns="${NAMESPACE}">`)
}

const ENTITIES: Record<string, string> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }

function unescaped(text: string): string {
	return text.replace(
		/&(?:#x([\da-f]+)|#(\d+)|([a-z]+));/gi,
		(whole, hex?: string, decimal?: string, name?: string) => {
			if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16))
			if (decimal !== undefined) return String.fromCodePoint(Number(decimal))
			return ENTITIES[name ?? ''] ?? whole
		},
	)
}

/** The contents of every element of a name, in order; elements are not told apart by where they stand. */
export function contents(xml: string, name: string): string[] {
	return [...xml.matchAll(new RegExp(`<${name}(?:\\s[^>]*)?>([\\s\\S]*?)</${name}>`, 'g'))].map(([, text = '']) => text)
}

/** The text of the first element of a name. */
export function textOf(xml: string, name: string): string | undefined {
	const [first] = contents(xml, name)
	return first === undefined ? undefined : unescaped(first)
}
