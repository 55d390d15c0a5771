import * as Args from '@oclif/core/args'
import { YdbackupCommand } from '../../command.ts'
import { removeDriver } from '../../drivers/user-drivers.ts'

export interface RemovedDriver {
	readonly package: string
}

export default class DriverRemove extends YdbackupCommand {
	static override summary = 'take out a storage driver that was installed with driver add'
	static override description = 'backups that were written through it stay where they are, and need it to be read'
	static override examples = ['<%= config.bin %> <%= command.id %> ydbackup-storage-sftp']
	static override args = {
		package: Args.string({ required: true, ignoreStdin: true, description: 'the name of the package' }),
	}

	async run(): Promise<RemovedDriver> {
		const { args, flags } = await this.parse(DriverRemove)
		await removeDriver(this.config, args.package, this.signal)
		this.show(flags, `${args.package} is gone`)
		return { package: args.package }
	}
}
