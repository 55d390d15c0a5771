import * as Args from '@oclif/core/args'
import { BackupError } from '@ydbackup/core'

/** Ids are the cluster's, and hold `&`: a shell that is not told otherwise cuts them off there. */
export const operationId = Args.string({
	required: true,
	ignoreStdin: true,
	description: 'id of the operation, between quotes',
	parse: async (text) => {
		if (/^ydb:\/\/[a-z_]+\/\d+\?[\x21-\x7e]+$/u.test(text) && text.length <= 1000) return text
		throw new BackupError('CONFIG_INVALID', `${JSON.stringify(text.slice(0, 100))} is not the id of an operation`, {
			advice: 'ids look like ydb://export/6?id=281474976788395&kind=s3; ydbackup operation list KIND shows them',
		})
	},
})
