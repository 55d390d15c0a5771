import { createHash } from 'node:crypto'
import type { ObjectInfo, Storage } from '@ydbackup/core'
import { S3Error } from './s3-error.ts'
import type { Xml } from './xml.ts'

const MOST_KEYS = 1000

/** The same for the same object, another one when it is written anew. It says that it is no MD5. */
export function etagOf({ key, size, modifiedAt }: ObjectInfo): string {
	const text = `${key}\n${size}\n${modifiedAt?.getTime() ?? 0}`
	return `${createHash('sha256').update(text).digest('hex').slice(0, 32)}-1`
}

/** What a `Range` header asks for; undefined for the whole object. Errors: `InvalidRange`. */
export function rangeOf(
	header: string | undefined,
	size: number,
): { readonly offset: number; readonly length: number } | undefined {
	const found = /^bytes=(\d{0,15})-(\d{0,15})$/u.exec(header ?? '')
	if (found === null || (found[1] === '' && found[2] === '')) return undefined
	const [, first = '', last = ''] = found
	const offset = first === '' ? Math.max(0, size - Number(last)) : Number(first)
	const end = first === '' || last === '' ? size : Math.min(size, Number(last) + 1)
	if (offset >= end) throw new S3Error('InvalidRange', 'the range is not in the object')
	return { offset, length: end - offset }
}

/** The answer to ListObjects, in either version. */
export async function listPage(
	storage: Storage,
	query: URLSearchParams,
	isAllowed: (key: string) => boolean,
	signal: AbortSignal,
): Promise<Xml> {
	const isSecond = query.get('list-type') === '2'
	const prefix = query.get('prefix') ?? ''
	const delimiter = query.get('delimiter') ?? ''
	const wanted = Number(query.get('max-keys') ?? MOST_KEYS)
	const most = Number.isInteger(wanted) && wanted >= 0 ? Math.min(wanted, MOST_KEYS) : MOST_KEYS
	const after = isSecond
		? (query.get('continuation-token') ?? query.get('start-after') ?? '')
		: (query.get('marker') ?? '')
	const objects: ObjectInfo[] = []
	const folders = new Set<string>()
	let last = ''
	let isCut = false
	for await (const info of ordered(storage, prefix, after, signal)) {
		const { key } = info
		if (!isAllowed(key) || key <= after) continue
		const cut = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length)
		const folder = cut < 0 ? undefined : key.slice(0, cut + delimiter.length)
		if (folder !== undefined && (folders.has(folder) || after.startsWith(folder))) continue
		if (objects.length + folders.size >= most) {
			isCut = true
			break
		}
		if (folder === undefined) objects.push(info)
		else folders.add(folder)
		last = folder ?? key
	}
	return [
		['Prefix', prefix],
		['MaxKeys', String(most)],
		...(delimiter === '' ? [] : [['Delimiter', delimiter] as const]),
		['IsTruncated', String(isCut)],
		...(isSecond ? [['KeyCount', String(objects.length + folders.size)] as const] : []),
		...(isCut ? [[isSecond ? 'NextContinuationToken' : 'NextMarker', last] as const] : []),
		...objects.map((info): readonly [string, Xml] => [
			'Contents',
			[
				['Key', info.key],
				['LastModified', (info.modifiedAt ?? new Date(0)).toISOString()],
				['ETag', `"${etagOf(info)}"`],
				['Size', String(info.size)],
				['StorageClass', 'STANDARD'],
			],
		]),
		...[...folders].map((folder): readonly [string, Xml] => ['CommonPrefixes', [['Prefix', folder]]]),
	]
}

/** In the order of keys, also of stores that list in another one. */
async function* ordered(
	storage: Storage,
	prefix: string,
	after: string,
	signal: AbortSignal,
): AsyncGenerator<ObjectInfo, void, undefined> {
	if (storage.capabilities.orderedList === true) {
		yield* storage.list(prefix, { signal, ...(after > prefix && { startAfter: after }) })
		return
	}
	const all: ObjectInfo[] = []
	for await (const info of storage.list(prefix, { signal })) all.push(info)
	yield* all.toSorted((a, b) => (a.key < b.key ? -1 : 1))
}
