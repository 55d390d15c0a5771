import {
	BackupError,
	type ErrorKind,
	ERROR_CODES,
	type Capabilities,
	defineStorageDriver,
	PRIMITIVE_TYPES,
	type Storage,
	type StorageDriver,
} from '@ydbackup/core'
import { expectTypeOf, test } from 'vitest'

test('a driver without a redact function does not compile', () => {
	expectTypeOf<Omit<StorageDriver, 'redact'>>().not.toExtend<StorageDriver>()
	expectTypeOf(defineStorageDriver).parameter(0).toEqualTypeOf<StorageDriver>()
})

test('a one-shot stream is no body of a put', () => {
	expectTypeOf<AsyncIterable<Uint8Array>>().not.toExtend<Parameters<Storage['put']>[1]>()
})

test('a missing capability needs a reason', () => {
	expectTypeOf<false>().not.toExtend<Capabilities['conditionalCreate']>()
	expectTypeOf<{ lacking: string }>().toExtend<Capabilities['conditionalCreate']>()
})

test('absence is a value of stat and not of get', () => {
	expectTypeOf<Awaited<ReturnType<Storage['stat']>>>().extract<undefined>().toEqualTypeOf<undefined>()
	expectTypeOf<Awaited<ReturnType<Storage['get']>>>().extract<undefined>().toBeNever()
})

test('a code that is not in the table does not compile', () => {
	// @ts-expect-error: codes are a closed list
	void new BackupError('NO_SUCH_CODE', 'x')
	expectTypeOf(ERROR_CODES).toExtend<Record<string, ErrorKind>>()
	expectTypeOf(PRIMITIVE_TYPES).toExtend<Record<string, { readonly id: number; readonly proto: string }>>()
})
