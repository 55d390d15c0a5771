import { CreateTableRequestSchema } from '@ydbjs/api/table'
import { ModifyPermissionsRequestSchema } from '@ydbjs/api/scheme'
import type { ProtoText, ProtoValue } from '@ydbackup/core'
import { expect, test } from 'vitest'
import { knownPart } from '../src/proto/known-part.ts'
import { fromProtoText } from '../src/proto/message-text.ts'

const message = (...fields: ProtoText): ProtoValue => ({ kind: 'message', fields })
const scalar = (text: string): ProtoValue => ({ kind: 'scalar', text })
const text = (value: string): ProtoValue => ({ kind: 'bytes', bytes: Buffer.from(value) })

test('what a newer tool has written is cut down to what can be sent, and every cut is named once', () => {
	const column = (name: string): ProtoText[number] => ({
		name: 'columns',
		value: message(
			{ name: 'name', value: text(name) },
			{ name: 'type', value: message({ name: 'type_id', value: scalar('UINT64') }) },
			{ name: 'novelty', value: scalar('1') },
		),
	})
	const tree: ProtoText = [
		column('a'),
		column('b'),
		{ name: 'primary_key', value: text('a') },
		{ name: 'attributes', value: message({ name: 'key', value: text('k') }, { name: 'value', value: text('v') }) },
		{ name: 'store_type', value: scalar('STORE_TYPE_OF_TOMORROW') },
		{ name: 'key_bloom_filter', value: scalar('ENABLED') },
		{ name: 'tomorrow', value: message({ name: 'x', value: scalar('1') }) },
		{ name: '99', value: scalar('1') },
	]
	const { known, unknown } = knownPart(CreateTableRequestSchema, tree)
	expect(unknown).toEqual(['columns.novelty', 'store_type: STORE_TYPE_OF_TOMORROW', 'tomorrow', '99'])
	expect(fromProtoText(CreateTableRequestSchema, known)).toMatchObject({
		columns: [{ name: 'a' }, { name: 'b' }],
		primaryKey: ['a'],
		attributes: { k: 'v' },
	})
	expect(knownPart(CreateTableRequestSchema, known)).toEqual({ known, unknown: [] })
})

test('rights as old tools wrote them are known', () => {
	const set = message(
		{ name: 'subject', value: text('alice') },
		{ name: 'permission_names', value: text('ydb.generic.read') },
	)
	const tree: ProtoText = [{ name: 'actions', value: message({ name: 'set', value: set }) }]
	expect(knownPart(ModifyPermissionsRequestSchema, tree)).toEqual({ known: tree, unknown: [] })
})
