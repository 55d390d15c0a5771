import { create, toBinary } from '@bufbuild/protobuf'
import { AnySchema } from '@bufbuild/protobuf/wkt'
import { BinaryWriter } from '@bufbuild/protobuf/wire'
import { OperationSchema } from '@ydbjs/api/operation'
import { EntrySchema } from '@ydbjs/api/scheme'
import { STATUS, YdbError } from '../error.ts'
import { field } from '../wire/cursor.ts'
import type { ControlMethods } from './control.ts'
import { entryOf } from './scheme.ts'

/** The service is a draft that client packages leave out: its messages are written by hand. Source: protos/draft/ydb_view.proto. */
export const DESCRIBE_VIEW = '/Ydb.View.V1.ViewService/DescribeView'
const PATH = 0x12

export const viewMethods: ControlMethods = {
	[DESCRIBE_VIEW]: {
		changes: false,
		run: (tree, bytes) => {
			const span = field(bytes, { start: 0, end: bytes.length }, PATH)
			if (!span) throw new YdbError('BAD_REQUEST', 'the request names no view')
			const path = bytes.toString('utf8', span.start, span.end)
			const { query } = tree.contents(path, 'view')
			const self = toBinary(EntrySchema, entryOf(tree, path, tree.get(path)))
			const description = new BinaryWriter().tag(1, 2).string(query).finish()
			const value = new BinaryWriter().tag(1, 2).bytes(self).tag(2, 2).bytes(description).finish()
			const result = create(AnySchema, { typeUrl: 'type.googleapis.com/Ydb.View.DescribeViewResult', value })
			return create(OperationSchema, { ready: true, status: STATUS.SUCCESS, result })
		},
	},
}
