import { expect, test } from 'vitest'

import { decodeObjects, decodeRepositoryHeader, encodeObjects, encodeRepositoryHeader } from '../src/index.ts'

test('objects.json comes back as it was, whatever the names', () => {
	const objects = {
		version: 1 as const,
		directories: ['', 'b', 'a/b', '__proto__', 'a b/Ж'].map((path) => ({ path, permissions: 'actions {\n}\n' })),
		schemes: { '1000': 'x', '002': 'y' },
	}
	expect(decodeObjects(encodeObjects(objects), 'o')).toStrictEqual(objects)
	expect(decodeObjects(encodeObjects({ version: 1, directories: [] }), 'o')).toStrictEqual({
		version: 1,
		directories: [],
	})
})

test.for<[string, string]>([
	['{"version":2,"directories":[]}', 'version 2'],
	['{"version":1}', 'directories'],
	['{"version":1,"directories":[{"path":"a/..","permissions":""}]}', 'no path'],
	['{"version":1,"directories":[{"path":"a"}]}', 'permissions'],
	['{"version":1,"directories":[{"path":"a","permissions":""},{"path":"a","permissions":""}]}', 'twice'],
	['{"version":1,"directories":[],"schemes":{"../x":""}}', 'no folder'],
	['{"version":1,"directories":[],"schemes":{"001":5}}', 'schemes.001'],
	['{"version":1,"version":1,"directories":[]}', 'twice'],
])('the objects.json %s is refused', ([text, message]) => {
	expect(() => decodeObjects(Buffer.from(text), 'objects.json')).toThrow(
		expect.objectContaining({ code: 'FORMAT_INVALID' }),
	)
	expect(() => decodeObjects(Buffer.from(text), 'objects.json')).toThrow(message)
})

test('a repository header comes back as it was', () => {
	const header = {
		ydbackup: 'repository',
		version: 1,
		id: 'k3f9a1b2c3',
		createdAt: '2026-11-23T02:15:30.000Z',
	} as const
	expect(decodeRepositoryHeader(encodeRepositoryHeader(header), 'h')).toStrictEqual(header)
	const text = JSON.stringify({ ...header, future: 1 }, undefined, 2)
	expect(decodeRepositoryHeader(Buffer.from(text), 'h')).toStrictEqual(header)
})

test.for<[string, string, string]>([
	['{"ydbackup":"repository","version":2,"id":"k3f9"}', 'REPOSITORY_VERSION', 'version 2'],
	['{"ydbackup":"manifest","version":1}', 'REPOSITORY_DAMAGED', 'no header'],
	['{"ydbackup":"repository","version":1,"id":"../..","createdAt":"2026-11-23T02:15:30Z"}', 'REPOSITORY_DAMAGED', 'id'],
	['{"ydbackup":"repository","version":1,"id":"k3f9","createdAt":5}', 'REPOSITORY_DAMAGED', 'createdAt'],
	['', 'REPOSITORY_DAMAGED', 'not JSON'],
	['\0\0\0\0', 'REPOSITORY_DAMAGED', 'not JSON'],
	['null', 'REPOSITORY_DAMAGED', 'no object'],
	[' '.repeat(70_000), 'REPOSITORY_DAMAGED', '70000 bytes'],
])('the header %s is refused', ([text, code, message]) => {
	expect(() => decodeRepositoryHeader(Buffer.from(text), 'ydbackup.json')).toThrow(expect.objectContaining({ code }))
	expect(() => decodeRepositoryHeader(Buffer.from(text), 'ydbackup.json')).toThrow(message)
})
