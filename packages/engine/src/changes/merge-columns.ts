import { bareType, spellType, type TableSchema } from '@ydbackup/core'
import { keyColumns } from '@ydbackup/rows'

/** Where the value of a column of the wanted table comes from. */
export interface MergedColumn {
	readonly name: string
	readonly mayBeNull: boolean
	/** Its place in the key; undefined for other columns. */
	readonly keyAt?: number | undefined
	/**
	 * The first layer whose values count: 0 is the full backup, i the link i. A column that was dropped and added again, or got another
	 * type, begins anew, and values of before must not shine through.
	 */
	readonly since: number
	/** Its index among the columns of the full backup; undefined when it was added later. */
	readonly baseAt?: number | undefined
}

/** `layers` are the table's schemas in the full backup (undefined when it was not there yet) and in each link up to the wanted one. */
export function mergedColumns(layers: readonly (TableSchema | undefined)[], wanted: TableSchema): MergedColumn[] {
	const keys = keyColumns(wanted)
	const spelt = layers.map(
		(schema) => new Map(schema?.columns.map(({ name, type }, at) => [name, { type: spellType(bareType(type)), at }])),
	)
	return wanted.columns.map(({ name, type }, index) => {
		const spelling = spellType(bareType(type))
		let since = layers.length
		while (since > 0 && spelt[since - 1]!.get(name)?.type === spelling) since--
		const keyAt = keys.indexOf(index)
		return {
			name,
			mayBeNull: type.kind === 'optional',
			since,
			keyAt: keyAt < 0 ? undefined : keyAt,
			baseAt: since === 0 ? spelt[0]?.get(name)?.at : undefined,
		}
	})
}
