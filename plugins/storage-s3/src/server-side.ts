import { BackupError, isKeyPrefix, type ServerSideTarget } from '@ydbackup/core'
import type { Place } from './place.ts'
import type { S3Session } from './session.ts'

/** Where a cluster could write or read the same objects: the settings of its own export to S3, as strings. */
export function targetOf(
	{ client }: S3Session,
	{ bucket, location, settings }: Place,
	prefix: string,
): ServerSideTarget {
	if (!isKeyPrefix(prefix))
		throw new BackupError('STORAGE_PERMANENT', `${JSON.stringify(prefix.slice(0, 600))} is not the beginning of a key`)
	const { endpoint, region = 'us-east-1', pathStyle, storageClass } = settings
	const url = new URL(endpoint ?? `https://s3.${region}.amazonaws.com`)
	return {
		kind: 's3',
		settings: {
			endpoint: url.host + url.pathname.replace(/\/$/, ''),
			scheme: url.protocol === 'http:' ? 'HTTP' : 'HTTPS',
			bucket,
			region,
			prefix: settings.prefix + prefix,
			...(storageClass !== undefined && { storage_class: storageClass }),
			...(pathStyle && { disable_virtual_addressing: 'true' }),
		},
		async credentials() {
			const { accessKeyId, secretAccessKey, sessionToken } = await client.config.credentials()
			if (sessionToken !== undefined)
				throw new BackupError(
					'STORAGE_UNSUPPORTED',
					`the cluster cannot use the temporary credentials of ${location}`,
					{
						advice: 'give an access key that needs no session token',
					},
				)
			return { access_key: accessKeyId, secret_key: secretAccessKey }
		},
	}
}
