import type { DriverOption } from '@ydbackup/core'

/** What a location and the environment may say. Secrets stand in the environment alone. */
export const options: readonly DriverOption[] = [
	{ parameter: 'user', environment: ['YDBACKUP_SFTP_USER'], summary: 'user to log in as' },
	{
		parameter: 'hostKey',
		environment: ['YDBACKUP_SFTP_HOST_KEY'],
		summary: 'fingerprint of the host key, SHA256:…, in place of a file of known hosts',
	},
	{
		parameter: 'knownHosts',
		environment: ['YDBACKUP_SFTP_KNOWN_HOSTS'],
		summary: 'file of known hosts, by default ~/.ssh/known_hosts',
	},
	{
		parameter: 'identityFile',
		environment: ['YDBACKUP_SFTP_IDENTITY_FILE'],
		summary: 'file with the private key to log in with',
	},
	{ environment: ['YDBACKUP_SFTP_PASSPHRASE'], summary: 'passphrase of the private key', secret: true },
	{ environment: ['YDBACKUP_SFTP_PASSWORD'], summary: 'password to log in with', secret: true },
	{ environment: ['SSH_AUTH_SOCK'], summary: 'socket of the agent that has the keys' },
]
