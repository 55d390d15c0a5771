// npm run seed -- -e grpc://localhost:2136 -d /local [--rows N]: loads the demo's data into any YDB.
import { parseArgs } from 'node:util'
import { load } from './load.ts'
import { seedTables } from './tables.ts'

const { values } = parseArgs({
	options: {
		endpoint: { type: 'string', short: 'e', default: 'grpc://localhost:2136' },
		database: { type: 'string', short: 'd', default: '/local' },
		rows: { type: 'string' },
		help: { type: 'boolean', short: 'h' },
	},
})

if (values.help) {
	console.log(`npm run seed -- --endpoint grpc://localhost:2136 --database /local [--rows N]

Creates geo/cities (real cities, ${'`--rows`'} of them), geo/summary/countries, all_types, empty/table, an empty
directory, owners and grants. The tables must not exist yet.`)
} else {
	const rows = values.rows === undefined ? undefined : Number(values.rows)
	if (rows !== undefined && !(Number.isSafeInteger(rows) && rows > 0)) {
		console.error(`--rows takes a positive whole number, not ${values.rows}`)
		process.exit(2)
	}
	try {
		await load({ endpoint: values.endpoint, database: values.database }, seedTables(rows), (path, count, ms) =>
			console.log(`${path}: ${count.toLocaleString('en')} rows in ${(ms / 1000).toFixed(1)} s`),
		)
	} catch (error) {
		console.error(
			`seeding ${values.endpoint}${values.database} failed: ${error instanceof Error ? error.message : error}`,
		)
		process.exit(1)
	}
}
