import { create, toBinary } from '@bufbuild/protobuf'
import {
	AlterTableRequestSchema,
	ChangefeedDescriptionSchema,
	ChangefeedSchema,
	TableServiceDefinition as TableService,
} from '@ydbjs/api/table'
import {
	AlterTopicRequestSchema,
	DescribeTopicResultSchema,
	TopicServiceDefinition as TopicService,
} from '@ydbjs/api/topic'
import type { Described } from './described.ts'
import { FILE } from './encryption.ts'
import { ImportError, parse, readText, type Reading } from './import-files.ts'
import type { Around } from './work.ts'

/** Of the topic of a changefeed, the retention, the partitions and the consumers come back. Source: IMPFLOW. */
export async function importFeed(
	{ changes }: Around,
	reading: Reading,
	{ item, ivOf, isChecked }: Described,
	feedPrefix: string,
	feed: number,
): Promise<void> {
	const below = `${item.prefix}/${feedPrefix}`
	const file = async (name: string, iv: Buffer | undefined): Promise<string> => {
		const found = await readText(reading, `${below}/${name}`, { iv, isChecked })
		if (!found) throw new ImportError(`S3 error: cannot find ${below}/${name}`)
		return found.text
	}
	const text = await file('changefeed_description.pb', ivOf(FILE.changefeed, feed))
	const topicText = await file('topic_description.pb', ivOf(FILE.changefeedTopic, feed))
	const changefeed = parse(ChangefeedDescriptionSchema, text, 'changefeed')
	const topic = parse(DescribeTopicResultSchema, topicText, 'topic')
	const { minActivePartitions = 0n, maxActivePartitions = 0n } = topic.partitioningSettings ?? {}
	const request = create(AlterTableRequestSchema, {
		path: item.path,
		addChangefeeds: [
			create(ChangefeedSchema, {
				name: changefeed.name,
				mode: changefeed.mode,
				format: changefeed.format,
				virtualTimestamps: changefeed.virtualTimestamps,
				attributes: changefeed.attributes,
				awsRegion: changefeed.awsRegion,
				...(changefeed.resolvedTimestampsInterval && {
					resolvedTimestampsInterval: changefeed.resolvedTimestampsInterval,
				}),
				...(topic.retentionPeriod && { retentionPeriod: topic.retentionPeriod }),
				topicPartitioningSettings: {
					minActivePartitions: minActivePartitions || 1n,
					maxActivePartitions: maxActivePartitions || 50n,
				},
			}),
		],
	})
	changes.scheme(TableService.alterTable.path, toBinary(AlterTableRequestSchema, request))
	if (topic.consumers.length === 0) return
	const alter = create(AlterTopicRequestSchema, {
		path: `${item.path}/${changefeed.name}`,
		addConsumers: topic.consumers.map(({ name, important }) => ({ name, important })),
	})
	changes.scheme(TopicService.alterTopic.path, toBinary(AlterTopicRequestSchema, alter))
}
