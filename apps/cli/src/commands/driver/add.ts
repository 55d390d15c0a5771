import * as Args from '@oclif/core/args'
import { YdbackupCommand } from '../../command.ts'
import { addDriver } from '../../drivers/user-drivers.ts'

export interface AddedDriver {
	readonly package: string
	readonly version: string
	readonly schemes: readonly string[]
}

export default class DriverAdd extends YdbackupCommand {
	static override summary = 'install a storage driver for this user, with your own npm'
	static override description =
		"the package goes into ydbackup's data directory, pinned to its version; its install scripts are not run. What is no driver, or clashes with another one, is taken out again. Nothing is ever installed or updated by itself"
	static override examples = [
		'<%= config.bin %> <%= command.id %> ydbackup-storage-sftp',
		'<%= config.bin %> <%= command.id %> @acme/ydbackup-storage@1.2.3',
		'<%= config.bin %> <%= command.id %> ./ydbackup-storage-acme-1.0.0.tgz',
	]
	static override args = {
		package: Args.string({ required: true, ignoreStdin: true, description: 'name, name@version, or a .tgz file' }),
	}

	async run(): Promise<AddedDriver> {
		const { args, flags } = await this.parse(DriverAdd)
		const added = await addDriver(this.config, args.package, this.signal)
		const [{ packageName, version }] = added as [(typeof added)[0], ...typeof added]
		const schemes = added.map(({ scheme }) => scheme)
		const served = schemes.map((scheme) => `${scheme}://`).join(', ')
		this.show(
			flags,
			`${packageName} ${version} serves ${served}\nprove it on your store: ydbackup driver check ${schemes[0]}://…`,
		)
		return { package: packageName, version, schemes }
	}
}
