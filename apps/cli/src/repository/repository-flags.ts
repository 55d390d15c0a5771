import * as Flags from '@oclif/core/flags'

export const repositoryFlags = {
	repo: Flags.string({
		description: 'the repository: a directory, or a URL whose scheme chooses the driver',
		env: 'YDBACKUP_REPO',
		helpGroup: 'REPOSITORY',
	}),
}
