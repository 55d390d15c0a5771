import { create, toBinary } from '@bufbuild/protobuf'
import { AnySchema, anyPack } from '@bufbuild/protobuf/wkt'
import { ExportItemProgressSchema, ExportToS3MetadataSchema } from '@ydbjs/api/export'
import { ImportFromS3MetadataSchema } from '@ydbjs/api/import'
import { OperationSchema } from '@ydbjs/api/operation'
import { assert, boolean, integer, property, uint8Array } from 'fast-check'
import { expect, test } from 'vitest'
import { readOperation } from '../src/operations/read-operation.ts'
import { readPercent } from '../src/operations/percent.ts'

const SUCCESS = 400_000
const CANCELLED = 400_160
const UNSET = 0

function exported(progress: number, ready: boolean, status: number): ReturnType<typeof readOperation> {
	const metadata = create(ExportToS3MetadataSchema, {
		progress,
		settings: { items: [{ sourcePath: '/local/a' }, { sourcePath: '/local/b' }] },
		itemsProgress: [
			{ partsTotal: 3, partsCompleted: 2 },
			{ partsTotal: 1, partsCompleted: 0 },
		],
	})
	const id = 'ydb://export/6?id=7&kind=s3'
	return readOperation(
		create(OperationSchema, {
			id,
			ready,
			status,
			issues: status === SUCCESS ? [] : [{ message: 'shard: 1, error: no such bucket' }],
			metadata: anyPack(ExportToS3MetadataSchema, metadata),
		}),
	)
}

test('success that is not ready is running, whatever its progress', () => {
	for (const progress of [0, 1, 2, 3, 4, 77]) expect(exported(progress, false, SUCCESS).state).toBe('running')
})

test('ready and successful is done', () => {
	expect(exported(3, true, SUCCESS)).toMatchObject({
		state: 'done',
		progress: 'DONE',
		items: [
			{ path: '/local/a', partsDone: 2, partsTotal: 3 },
			{ path: '/local/b', partsDone: 0, partsTotal: 1 },
		],
		failure: undefined,
	})
})

test('a failure ends as CANCELLED, ready or not, and says why', () => {
	for (const ready of [true, false]) {
		const { state, failure } = exported(5, ready, CANCELLED)
		expect({ state, code: failure?.code, reason: failure?.reason }).toEqual({
			state: 'failed',
			code: 'DATABASE_REFUSED',
			reason: 'CANCELLED',
		})
		expect(failure?.message).toContain('no such bucket')
	}
})

test('one that is being cancelled still runs, and so does one in a state of a newer server', () => {
	expect(exported(4, false, CANCELLED).state).toBe('running')
	expect(exported(99, false, UNSET)).toMatchObject({ state: 'running', progress: '99' })
})

test('progress of an import is by its own numbers', () => {
	const metadata = anyPack(ImportFromS3MetadataSchema, create(ImportFromS3MetadataSchema, { progress: 3 }))
	const read = readOperation(create(OperationSchema, { id: 'x', status: SUCCESS, metadata }))
	expect(read).toMatchObject({ state: 'running', progress: 'BUILD_INDEXES' })
})

test('metadata that is not known, or is no message at all, says nothing', () => {
	assert(
		property(uint8Array(), boolean(), boolean(), (value, ready, isExport) => {
			const typeUrl = `type.googleapis.com/Ydb.${isExport ? 'Export.ExportToS3Metadata' : 'Odd.Metadata'}`
			const metadata = create(AnySchema, { typeUrl, value })
			const { state } = readOperation(create(OperationSchema, { id: 'x', ready, status: SUCCESS, metadata }))
			expect(state).toBe(ready ? 'done' : 'running')
		}),
	)
})

test('percent is read as any protobuf reader would', () => {
	assert(
		property(integer({ min: 0, max: 5 }), integer({ min: 0, max: 100 }), (completed, total) => {
			// The official client's message with two varints in the same places.
			const bytes = toBinary(
				ExportItemProgressSchema,
				create(ExportItemProgressSchema, { partsTotal: completed, partsCompleted: total }),
			)
			const { progress, percent } = readPercent(bytes)
			expect(percent ?? 0).toBe(total)
			expect(progress !== undefined).toBe(completed !== 0)
		}),
	)
	expect(readPercent(Uint8Array.of(16, 0x80))).toEqual({})
	expect(readPercent(Uint8Array.of(0x1a, 1, 1, 16, 7))).toEqual({})
})
