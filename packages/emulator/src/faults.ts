/** Switches that make the emulator unpleasant, as the real database can be. All are off at first and may be changed while it runs. */
export interface Faults {
	/** Reads end with gRPC UNAVAILABLE after that many rows, as long as {@link breakReadTimes} lasts. */
	breakReadAfterRows: number | undefined
	breakReadTimes: number
	/** Reads end early and cleanly after that many rows: the server lies. */
	endReadEarlyAfterRows: number | undefined
	/** Milliseconds before each message of a read. */
	delayReadMs: number
	/** Most rows in one message of a read. */
	readChunkRows: number | undefined
	/** Reads send messages without rows now and then. */
	emptyMessages: boolean
	/** That many BulkUpserts answer OVERLOADED. */
	overloadBulkUpsertTimes: number
	/** BulkUpserts are acknowledged and thrown away. */
	dropBulkUpsertSilently: boolean
	/** That many unary calls of the table and scheme services answer UNAVAILABLE. */
	unavailableTimes: number
	/** Every answer asks to close the session, as those of a node do that is about to stop. */
	hintSessionClose: boolean
	/** Most tables in one CopyTables. Source: YDB's consistent copy limit, as the tool's users know it (not verified). */
	maxCopyTargets: number
	/** Called before a CopyTables is carried out (in-process use only). */
	onCopyTables: (() => void | Promise<void>) | undefined
	/** Called before the rows of a read are sent (in-process use only). */
	onReadTable: ((path: string) => void | Promise<void>) | undefined
	/** Columns of this name are described with a type that no client knows. */
	unknownTypeOf: string | undefined
}

export function noFaults(): Faults {
	return {
		breakReadAfterRows: undefined,
		breakReadTimes: Number.POSITIVE_INFINITY,
		endReadEarlyAfterRows: undefined,
		delayReadMs: 0,
		readChunkRows: undefined,
		emptyMessages: false,
		overloadBulkUpsertTimes: 0,
		dropBulkUpsertSilently: false,
		unavailableTimes: 0,
		hintSessionClose: false,
		maxCopyTargets: 10_000,
		onCopyTables: undefined,
		onReadTable: undefined,
		unknownTypeOf: undefined,
	}
}
