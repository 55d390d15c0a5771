import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import type { ConformanceReport } from '@ydbackup/driver-conformance'
import { YdbackupCommand } from '../../command.ts'
import { printable } from '../../output/printable.ts'
import { keepSecret } from '../../output/secrets.ts'
import { claimProgress } from '../../progress/claim-progress.ts'
import { checkedFailure } from '../../report/checked-driver.ts'
import { driverPackages } from '../../drivers/driver-packages.ts'

/** A shorter secret stands in ordinary words too. */
const SHORTEST_SECRET = 6

export default class DriverCheck extends YdbackupCommand {
	static override summary = 'prove on a store of yours that its driver keeps the contract, and measure it'
	static override description =
		'writes below a prefix of its own at the location, reads nothing else, and removes what it wrote. The exit code is 2 when a claim does not hold'
	static override examples = [
		'<%= config.bin %> <%= command.id %> /srv/backups',
		'<%= config.bin %> <%= command.id %> s3://bucket/prefix --level full --json',
	]
	static override args = {
		location: Args.string({ required: true, description: 'a directory, or a URL whose scheme chooses the driver' }),
	}
	static override flags = {
		level: Flags.option({
			options: ['quick', 'full', 'soak'] as const,
			default: 'quick' as const,
			description:
				'quick: about a minute; full: some minutes, large objects and races too; soak: hours, with objects of 2 GiB',
		})(),
		speed: Flags.boolean({
			allowNo: true,
			default: true,
			description: 'measure latency and throughput when every claim holds',
		}),
	}

	async run(): Promise<ConformanceReport> {
		const { args, flags } = await this.parse(DriverCheck)
		const [{ createDriverRegistry, findDrivers, locationToUrl }, { reportText, runConformance }] = await Promise.all([
			import('@ydbackup/plugin-host'),
			import('@ydbackup/driver-conformance'),
		])
		const registry = createDriverRegistry(findDrivers({ packages: driverPackages(this.config) }))
		const location = locationToUrl(args.location)
		const scheme = location.protocol.slice(0, -1)
		const { options } = await registry.driverFor(scheme)
		const entry = registry.entries.find((each) => each.scheme === scheme)
		const secrets = options
			.filter(({ secret }) => secret)
			.flatMap(({ environment = [] }) => environment.map((name) => process.env[name] ?? ''))
			.filter((secret) => secret.length >= SHORTEST_SECRET)
		for (const secret of secrets) keepSecret(secret)
		using progress = claimProgress(flags.quiet ? 'none' : flags.progress, process.stderr)
		const report = await runConformance({
			open: ({ signal }) => registry.openStorage(location, { environment: process.env, writable: true, signal }),
			level: flags.level,
			...(!flags.speed && { plan: { speedMs: 0 } }),
			...(entry && { driver: { name: entry.packageName, version: entry.version } }),
			secrets,
			signal: this.signal,
			onProgress: progress.onProgress,
		})
		this.failure = checkedFailure(report)
		this.show(flags, reportText(report).trimEnd().split('\n').map(printable).join('\n'))
		return report
	}
}
