import * as Flags from '@oclif/core/flags'

const HELP = 'DATABASE'

/** How a command is told which database, and who asks. Names are those of the `ydb` CLI. */
export const connectionFlags = {
	endpoint: Flags.string({
		char: 'e',
		description: 'where the cluster listens, grpc://host:port or grpcs://host:port [env: YDB_ENDPOINT]',
		helpGroup: HELP,
	}),
	database: Flags.string({
		char: 'd',
		description: 'path of the database, for example /local [env: YDB_DATABASE]',
		helpGroup: HELP,
	}),
	db: Flags.string({
		description: 'both in one connection string, grpc://host:port/database [env: YDB_CONNECTION_STRING]',
		helpGroup: HELP,
	}),
	user: Flags.string({ description: 'user name [env: YDB_USER]', helpGroup: HELP }),
	'password-file': Flags.string({
		description: "file with the user's password [env: YDB_PASSWORD has the password itself]",
		helpGroup: HELP,
	}),
	'no-password': Flags.boolean({ description: 'the password is empty', helpGroup: HELP }),
	'token-file': Flags.string({
		description: 'file with an access token [env: YDB_TOKEN has the token itself]',
		helpGroup: HELP,
	}),
	'sa-key-file': Flags.string({
		description: 'file with the key of a service account [env: YDB_SERVICE_ACCOUNT_KEY_FILE_CREDENTIALS, SA_KEY_FILE]',
		helpGroup: HELP,
	}),
	'use-metadata-credentials': Flags.boolean({
		description:
			"ask the virtual machine's metadata service for a token [env: YDB_METADATA_CREDENTIALS=1, USE_METADATA_CREDENTIALS=1]",
		helpGroup: HELP,
	}),
	'ca-file': Flags.string({
		description: 'file with the certificates to trust, PEM [env: YDB_CA_FILE]',
		helpGroup: HELP,
	}),
}

export interface ConnectionFlags {
	readonly endpoint?: string | undefined
	readonly database?: string | undefined
	readonly db?: string | undefined
	readonly user?: string | undefined
	readonly 'password-file'?: string | undefined
	readonly 'no-password'?: boolean | undefined
	readonly 'token-file'?: string | undefined
	readonly 'sa-key-file'?: string | undefined
	readonly 'use-metadata-credentials'?: boolean | undefined
	readonly 'ca-file'?: string | undefined
}
