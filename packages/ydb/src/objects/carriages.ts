import { CreateNodeRequestSchema, DescribeNodeResultSchema } from '@ydbjs/api/coordination'
import { CreateResourceRequestSchema, DescribeResourceResultSchema } from '@ydbjs/api/rate-limiter'
import {
	ChangefeedDescriptionSchema,
	ChangefeedSchema,
	CreateTableRequestSchema,
	DescribeTableResultSchema,
} from '@ydbjs/api/table'
import { CreateTopicRequestSchema, DescribeTopicResultSchema } from '@ydbjs/api/topic'
import type { Carriage } from '../proto/carry.ts'

const SELF = 'name, owner and grants are taken with every object; size and time of creation are the server’s'
const STATISTICS = 'statistics of one server at one moment'

export const TABLE: Carriage = {
	from: DescribeTableResultSchema,
	to: CreateTableRequestSchema,
	left: {
		self: SELF,
		shard_key_bounds: 'they become partition_at_keys',
		'indexes.status': 'the state of one moment',
		'indexes.size_bytes': STATISTICS,
		table_stats: STATISTICS,
		changefeeds: 'they are objects of their own',
		temporary: 'a temporary table ends with its session',
	},
}

/** What a changefeed's topic adds to the request stands in `create.ts`. */
export const CHANGEFEED: Carriage = {
	from: ChangefeedDescriptionSchema,
	to: ChangefeedSchema,
	left: {
		state: 'the state of one moment: what is restored is enabled',
		initial_scan_progress: 'the state of one moment',
	},
}

export const TOPIC: Carriage = {
	from: DescribeTopicResultSchema,
	to: CreateTopicRequestSchema,
	left: {
		self: SELF,
		partitions: 'they are made anew, and hold no messages',
		partition_total_read_speed_bytes_per_second: 'the server’s own: no request sets it',
		partition_consumer_read_speed_bytes_per_second: 'the server’s own: no request sets it',
		'consumers.consumer_stats': STATISTICS,
		topic_stats: STATISTICS,
	},
}

export const COORDINATION_NODE: Carriage = {
	from: DescribeNodeResultSchema,
	to: CreateNodeRequestSchema,
	left: { self: SELF, 'config.path': 'it is where the object is restored' },
}

export const RATE_LIMITER: Carriage = {
	from: DescribeResourceResultSchema,
	to: CreateResourceRequestSchema,
	left: { 'resource.resource_path': 'it is where the object is restored' },
}
