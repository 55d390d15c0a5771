import { YdbackupCommand } from '../../command.ts'
import { connectionFlags } from '../../connection/connection-flags.ts'
import { openDatabase } from '../../connection/open-database.ts'
import { type ListedCollections, listedCollectionsText } from '../../report/listed-collections.ts'

export default class CollectionList extends YdbackupCommand {
	static override summary = 'list the backup collections of a database'
	static override description = 'with the number of backups that each has inside the cluster, and the newest of them'
	static override examples = [
		'<%= config.bin %> <%= command.id %>',
		'<%= config.bin %> <%= command.id %> --endpoint grpc://localhost:2136 --database /local --json',
	]
	static override flags = { ...connectionFlags }

	async run(): Promise<ListedCollections> {
		const { flags } = await this.parse(CollectionList)
		const { listCollections } = await import('@ydbackup/engine')
		using work = this.startWork(flags)
		await using ydb = await openDatabase(flags, work)
		const collections = await listCollections(ydb.collections, work.signal)
		const listed = { database: ydb.collections.database, collections }
		work.complete()
		this.show(flags, listedCollectionsText(listed))
		return listed
	}
}
