import { LIMITS } from './limits.ts'

/** Switches that make the emulator unpleasant, as the real database can be. All are off at first and may be changed while it runs. */
export interface Faults {
	/** Reads end with gRPC UNAVAILABLE after that many rows, as long as {@link breakReadTimes} lasts. */
	breakReadAfterRows: number | undefined
	/** Only rows of that partition (from 0) count for {@link breakReadAfterRows}. */
	breakReadInPartition: number | undefined
	breakReadTimes: number
	/** Reads end early and cleanly after that many rows: the server lies. */
	endReadEarlyAfterRows: number | undefined
	/** Milliseconds before each message of a read. */
	delayReadMs: number
	/** That partition (from 0) is slow: {@link slowPartitionMs} before each message with its rows. */
	slowPartition: number | undefined
	slowPartitionMs: number
	/** Most rows in one message of a read. */
	readChunkRows: number | undefined
	/** Unordered reads go on with another partition after that many rows. */
	interleaveRows: number | undefined
	/** Answers to queries end with gRPC UNAVAILABLE after that many parts, as long as {@link breakQueryTimes} lasts. */
	breakQueryAfterParts: number | undefined
	breakQueryTimes: number
	/** Most rows in one part of an answer to a query. */
	queryPartRows: number | undefined
	/** Answers to queries are cut after that many rows; the last part says that it is truncated. */
	cutQueryRows: number | undefined
	/** Milliseconds before each part of an answer to a query. */
	delayQueryMs: number
	/** A partition is split, and then two are merged, and so on, whenever a read has sent that many rows. */
	splitEveryRows: number | undefined
	/** Reads send messages without rows now and then. */
	emptyMessages: boolean
	/** Responses come in pieces of that many bytes: messages begin and end anywhere in them. */
	wireChunkBytes: number | undefined
	/** That many BulkUpserts answer OVERLOADED. */
	overloadBulkUpsertTimes: number
	/** BulkUpserts are acknowledged and thrown away. */
	dropBulkUpsertSilently: boolean
	/** That many unary calls of the table and scheme services answer UNAVAILABLE. */
	unavailableTimes: number
	/** Every so many calls one answers OVERLOADED, and nothing is done. Calls that find the database or log in are left alone, here and below. */
	overloadedEvery: number | undefined
	/** Every so many calls one answers UNAVAILABLE, and nothing is done. */
	unavailableEvery: number | undefined
	/** Every so many calls one is carried out, and its answer is lost: gRPC UNAVAILABLE. */
	loseAnswerEvery: number | undefined
	/** Every so many calls all sessions end. */
	closeSessionsEvery: number | undefined
	/** Every so many calls the node that was asked restarts: connections and sessions end, and it listens again after {@link restartMs}. */
	restartEvery: number | undefined
	restartMs: number
	/** Answers carry the hint that their session will be closed. */
	sessionCloseHint: boolean
	/** Milliseconds before a call is carried out that changes the scheme. */
	delayOperationsMs: number
	/** Milliseconds by which the server's clock is ahead; negative: behind. */
	clockOffsetMs: number
	/** Most tables in one CopyTables; YDB's limit (see limits.ts) at first. */
	maxCopyTargets: number
	/** Backup collections are switched off. */
	collectionsDisabled: boolean
	/** Milliseconds before each step of what goes on after BACKUP … INCREMENTAL, RESTORE, an export or an import were answered. */
	operationDelayMs: number
	/** These steps do not come. */
	stuckOperations: boolean
	/** That many of these operations fail. */
	failOperations: number
	/** Minutes by which the server's local time, of which names of backups are made, is ahead of UTC; negative: behind. */
	stampOffsetMinutes: number
	/** A new full backup leaves the streams of the chain before it. */
	keepStreams: boolean
	/** Several changes of a row within an interval become one; else the metadata of the last one stands alone. */
	mergeChanges: boolean
	/** Streams lose changes that are older. */
	streamRetentionMs: number | undefined
	/** Change tables in the form of older servers: 1, with `deleted` and `columnStates`; 2, with `deleted` only. */
	olderChangeTables: number
	/** Tables of a collection may be altered, as older servers let it. */
	alterMembers: boolean
	/** Milliseconds that a minute takes between two tries of an export or an import to reach its store; the server's minutes at first. */
	storeRetryMinuteMs: number
	/** Milliseconds before each part that an export writes or an import reads. */
	slowPartMs: number
	/** Bytes of a part of a data file; the last may be smaller. */
	exportPartBytes: number
	/** Exports write no checksums, as older servers do. */
	withoutChecksums: boolean
	/** Exports write no permissions, as older servers do. */
	withoutPermissions: boolean
	/** Exports write no changefeeds, as older servers do. */
	withoutChangefeeds: boolean
	/** All that exports take (`table,view,topic`), as older servers have it; the names are those of `NodeKind`. */
	exportedKinds: string | undefined
	/** Exports write Float and Double so that they read back exactly; the server keeps 6 and 10 digits. */
	exactFloats: boolean
	/** Copies of an export stay until it is forgotten, as older servers let them. */
	keepExportCopies: boolean
	/** Exports and imports that run tell a progress that no client knows. */
	unknownProgress: boolean
	/** Called before a CopyTables is carried out (in-process use only). */
	onCopyTables: (() => void | Promise<void>) | undefined
	/** Called before the rows of a read are sent (in-process use only). */
	onReadTable: ((path: string) => void | Promise<void>) | undefined
	/** The kinds of storage pools that the database has, divided by commas; any kind when it is not given. */
	storagePools: string | undefined
	/** Columns of this name are described with a type that no client knows. */
	unknownTypeOf: string | undefined
}

/** The switches as they are at first. */
export function noFaults(): Faults {
	return {
		breakReadAfterRows: undefined,
		breakReadInPartition: undefined,
		breakReadTimes: Number.POSITIVE_INFINITY,
		endReadEarlyAfterRows: undefined,
		delayReadMs: 0,
		slowPartition: undefined,
		slowPartitionMs: 50,
		readChunkRows: undefined,
		interleaveRows: undefined,
		breakQueryAfterParts: undefined,
		breakQueryTimes: Number.POSITIVE_INFINITY,
		queryPartRows: undefined,
		cutQueryRows: undefined,
		delayQueryMs: 0,
		splitEveryRows: undefined,
		emptyMessages: false,
		wireChunkBytes: undefined,
		overloadBulkUpsertTimes: 0,
		dropBulkUpsertSilently: false,
		unavailableTimes: 0,
		overloadedEvery: undefined,
		unavailableEvery: undefined,
		loseAnswerEvery: undefined,
		closeSessionsEvery: undefined,
		restartEvery: undefined,
		restartMs: 50,
		sessionCloseHint: false,
		delayOperationsMs: 0,
		clockOffsetMs: 0,
		maxCopyTargets: LIMITS.tablesToCopy.value,
		collectionsDisabled: false,
		operationDelayMs: 20,
		stuckOperations: false,
		failOperations: 0,
		stampOffsetMinutes: 0,
		keepStreams: false,
		mergeChanges: false,
		streamRetentionMs: undefined,
		olderChangeTables: 0,
		alterMembers: false,
		storeRetryMinuteMs: 60_000,
		slowPartMs: 0,
		exportPartBytes: 8 << 20,
		withoutChecksums: false,
		withoutPermissions: false,
		withoutChangefeeds: false,
		exportedKinds: undefined,
		exactFloats: false,
		keepExportCopies: false,
		unknownProgress: false,
		onCopyTables: undefined,
		onReadTable: undefined,
		storagePools: undefined,
		unknownTypeOf: undefined,
	}
}

const FLAGS = new Set([
	'emptyMessages',
	'dropBulkUpsertSilently',
	'sessionCloseHint',
	'collectionsDisabled',
	'stuckOperations',
	'keepStreams',
	'mergeChanges',
	'alterMembers',
	'withoutChecksums',
	'withoutPermissions',
	'withoutChangefeeds',
	'exactFloats',
	'keepExportCopies',
	'unknownProgress',
])
/** Switches whose value is a text. */
const TEXTS = new Set(['unknownTypeOf', 'storagePools', 'exportedKinds'])
const SIGNED = new Set(['clockOffsetMs', 'stampOffsetMinutes'])
const IN_PROCESS = new Set(['onCopyTables', 'onReadTable'])

/** The switches that can be set from outside of the process. */
export const FAULT_NAMES: readonly string[] = Object.keys(noFaults()).filter((name) => !IN_PROCESS.has(name))

/** A switch as it comes from outside; null puts it back to what it was at first. What does not fit is a TypeError. */
export function faultValue(name: string, value: unknown): unknown {
	if (!FAULT_NAMES.includes(name)) throw new TypeError(`unknown fault ${name}; known are ${FAULT_NAMES.join(', ')}`)
	if (value === null) return noFaults()[name as keyof Faults]
	if (FLAGS.has(name) ? typeof value === 'boolean' : TEXTS.has(name) ? typeof value === 'string' : isCount(name, value))
		return value
	const wanted = FLAGS.has(name) ? 'true or false' : TEXTS.has(name) ? 'a text' : 'a whole number'
	throw new TypeError(`fault ${name} takes ${wanted}`)
}

function isCount(name: string, value: unknown): boolean {
	return Number.isSafeInteger(value) && ((value as number) >= 0 || SIGNED.has(name))
}

/** Switches as `name=value` words of a command line. */
export function faultsOf(words: readonly string[]): Partial<Faults> {
	const faults: Record<string, unknown> = {}
	for (const word of words) {
		const [name = '', text = ''] = word.split('=', 2)
		const value: unknown = /^(-?\d+|true|false)$/.test(text) && !TEXTS.has(name) ? JSON.parse(text) : text
		faults[name] = faultValue(name, value)
	}
	return faults
}
