import type { MessageInitShape } from '@bufbuild/protobuf'
import type { ExecuteQueryResponsePartSchema } from '@ydbjs/api/query'
import type { Access, Accesses } from '../yql/access.ts'
import { microseconds, type Outcome } from './execute.ts'

/** `plan`: EXPLAIN. `basic` counts, `full` adds the plan. */
export type StatsLevel = 'none' | 'plan' | 'basic' | 'full'

type Stats = NonNullable<MessageInitShape<typeof ExecuteQueryResponsePartSchema>['execStats']>

/** Not the tree of YDB's compiler: nothing may be derived from it. */
export function queryAst(text: string): string {
	return `(\n(return (Text '${JSON.stringify(text)}))\n)\n`
}

/** The tables that a query reads and writes, in the shape of YDB's plans: whoever reads more of a plan needs a real YDB. */
export function queryPlan({ steps, tables }: Accesses, withCounts = false): string {
	const paths = [...new Set(steps.map(({ path }) => path))]
	const shown = paths.map((name) => {
		const reads = steps.filter((step) => step.path === name && step.kind === 'reads')
		const writes = steps.filter((step) => step.path === name && step.kind === 'writes')
		return {
			name,
			...(reads.length > 0 && {
				reads: reads.map(({ type, by, columns }) => ({
					type,
					...(by.length > 0 && { [type === 'Scan' ? 'scan_by' : 'lookup_by']: by }),
					columns,
				})),
			}),
			...(writes.length > 0 && { writes: writes.map(({ type, columns }) => ({ type, columns })) }),
		}
	})
	const nodes = steps.map(({ path, type, kind, columns }, index) => {
		const access = tables.get(path)
		return {
			PlanNodeId: index + 2,
			'Node Type': kind === 'writes' ? 'Effect' : type === 'Scan' ? 'TableRangeScan' : `Table${type}`,
			Tables: [path.split('/').at(-1)!],
			Operators: [{ Name: kind === 'writes' ? type : `Table${type}`, Table: path, ReadColumns: columns }],
			...(withCounts && access && { Stats: { ReadRows: access.readRows, ReadBytes: access.readBytes } }),
		}
	})
	return JSON.stringify({
		meta: { version: '0.2', type: 'query' },
		tables: shown,
		Plan: { PlanNodeId: 0, 'Node Type': 'Query', PlanNodeType: 'Query', Plans: nodes },
	})
}

function counted(rows: number, bytes: number): { rows: bigint; bytes: bigint } | undefined {
	return rows === 0 ? undefined : { rows: BigInt(rows), bytes: BigInt(bytes) }
}

function tableAccess([name, access]: [string, Access]): { name: string } {
	const reads = counted(access.readRows, access.readBytes)
	const updates = counted(access.updatedRows, access.updatedBytes)
	const deletes = counted(access.deletedRows, 0)
	return { name, ...(reads && { reads }), ...(updates && { updates }), ...(deletes && { deletes }) }
}

/** What a query did, when its results were read. Times are real, the CPU's are taken to be the same. */
export function queryStats(outcome: Outcome, level: StatsLevel, text: string, start: bigint): Stats | undefined {
	const { accesses, compiledUs } = outcome
	if (level === 'none') return undefined
	if (level === 'plan') return { queryPlan: queryPlan(accesses), queryAst: queryAst(text) }
	const total = microseconds() - start
	const tables = [...accesses.tables].map(tableAccess)
	return {
		queryPhases: [
			{
				durationUs: total - compiledUs,
				cpuTimeUs: total - compiledUs,
				tableAccess: tables,
				affectedShards: BigInt(tables.length),
			},
		],
		compilation: { fromCache: false, durationUs: compiledUs, cpuTimeUs: compiledUs },
		processCpuTimeUs: total,
		totalDurationUs: total,
		totalCpuTimeUs: total,
		...(level === 'full' && { queryPlan: queryPlan(accesses, true), queryAst: queryAst(text) }),
	}
}
