import type { DriverOption } from '@ydbackup/core'

/** What a location can say behind its question mark, and what only the environment may say. */
export const options: readonly DriverOption[] = [
	{ parameter: 'region', environment: ['AWS_REGION', 'AWS_DEFAULT_REGION'], summary: 'region of the bucket' },
	{
		parameter: 'endpoint',
		environment: ['AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL'],
		summary: 'URL of another store than Amazon S3',
	},
	{ parameter: 'pathStyle', summary: 'bucket in the path instead of the host name; true where an endpoint is given' },
	{ parameter: 'profile', environment: ['AWS_PROFILE'], summary: 'profile in the files of the AWS command line' },
	{ parameter: 'caFile', environment: ['AWS_CA_BUNDLE'], summary: 'file with certificates that are trusted as well' },
	{ parameter: 'storageClass', summary: 'storage class of new objects, for example STANDARD_IA' },
	{ parameter: 'sse', summary: 'encryption by the store: AES256, aws:kms or aws:kms:dsse' },
	{ parameter: 'kmsKeyId', summary: 'key of aws:kms' },
	{ parameter: 'objectLockMode', summary: 'GOVERNANCE or COMPLIANCE: how objects are held' },
	{ parameter: 'objectLockRetainDays', summary: 'days for which every new object is held' },
	{ parameter: 'partMiB', summary: 'size of the parts of large objects in MiB, 5 to 512; 8 by default' },
	{ parameter: 'timeoutSeconds', summary: 'how long the store may be silent, 1 to 600; 60 by default' },
	{
		environment: ['AWS_ACCESS_KEY_ID'],
		summary: 'access key; the default chain of the AWS SDK without it',
		secret: true,
	},
	{ environment: ['AWS_SECRET_ACCESS_KEY'], summary: 'secret of the access key', secret: true },
	{ environment: ['AWS_SESSION_TOKEN'], summary: 'session token of temporary credentials', secret: true },
	{
		environment: ['YDBACKUP_S3_CUSTOMER_KEY'],
		summary: 'key that the store encrypts with and does not keep (SSE-C): 32 bytes in base64',
		secret: true,
	},
]
