import type { DescMessage } from '@bufbuild/protobuf'
import { CreateNodeRequestSchema } from '@ydbjs/api/coordination'
import { CreateResourceRequestSchema } from '@ydbjs/api/rate-limiter'
import { ModifyPermissionsRequestSchema } from '@ydbjs/api/scheme'
import { ChangefeedDescriptionSchema, CreateTableRequestSchema } from '@ydbjs/api/table'
import { CreateTopicRequestSchema, DescribeTopicResultSchema } from '@ydbjs/api/topic'
import type { SnapshotSink } from '@ydbackup/core'
import { knownPart } from '../proto/known-part.ts'
import { newest } from '../proto/newer.ts'

type KnownPart = NonNullable<SnapshotSink['knownPart']>

const REQUESTS: Readonly<Record<Parameters<KnownPart>[0], DescMessage>> = {
	CreateTableRequest: CreateTableRequestSchema,
	ModifyPermissionsRequest: ModifyPermissionsRequestSchema,
	CreateTopicRequest: CreateTopicRequestSchema,
	CreateNodeRequest: CreateNodeRequestSchema,
	CreateResourceRequest: CreateResourceRequestSchema,
	ChangefeedDescription: ChangefeedDescriptionSchema,
	DescribeTopicResult: DescribeTopicResultSchema,
}

/** What of a request this version can send. */
export const knownRequestPart: KnownPart = (request, tree) => knownPart(newest(REQUESTS[request]), tree)
