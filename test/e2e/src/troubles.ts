import { type Faults, faultsOf, noFaults } from '@ydbackup/emulator'

/** Every switch of the emulator that a user of the tool must not notice, as words of `--fault`. */
export const TROUBLES: Readonly<Record<string, string>> = {
	'reads that break': 'breakReadAfterRows=150 breakReadTimes=8',
	'reads that break in one partition': 'breakReadInPartition=1 breakReadAfterRows=20 breakReadTimes=4',
	'slow reads': 'delayReadMs=15',
	'a slow partition': 'slowPartition=1 slowPartitionMs=100',
	'messages of odd sizes': 'readChunkRows=7',
	'unordered reads that jump': 'interleaveRows=3',
	'partitions that split and merge during reads': 'splitEveryRows=40',
	'messages without rows': 'emptyMessages=true',
	'responses cut anywhere': 'wireChunkBytes=1021',
	'bulk writes refused for a while': 'overloadBulkUpsertTimes=5',
	'a server that is unavailable for a while': 'unavailableTimes=3',
	'OVERLOADED now and then': 'overloadedEvery=7',
	'UNAVAILABLE now and then': 'unavailableEvery=7',
	'lost answers': 'loseAnswerEvery=9',
	'sessions that end': 'closeSessionsEvery=6',
	'a node that restarts': 'restartEvery=25 restartMs=30',
	'the hint to leave a session': 'sessionCloseHint=true',
	'slow operations': 'delayOperationsMs=40',
	'answers to queries that break, in small parts':
		'queryPartRows=40 delayQueryMs=2 breakQueryAfterParts=0 breakQueryTimes=3 cutQueryRows=1000',
	'a clock that is a day ahead': 'clockOffsetMs=86400000',
	'a clock that is a day behind': 'clockOffsetMs=-86400000',
}

/** The same of backup collections. */
export const OF_COLLECTIONS: Readonly<Record<string, string>> = {
	'slow backups of collections': 'operationDelayMs=150',
	'a local time that is not UTC': 'stampOffsetMinutes=-210',
	'streams of earlier chains that stay': 'keepStreams=true',
	'changes of a row that become one': 'mergeChanges=true',
}

/** The same of exports and imports by the cluster. */
export const OF_EXPORTS: Readonly<Record<string, string>> = {
	'slow parts': 'slowPartMs=20 exportPartBytes=65536',
	'another minute between tries': 'storeRetryMinuteMs=500',
	'copies that stay until an export is forgotten': 'keepExportCopies=true',
	'floats that read back exactly': 'exactFloats=true',
}

/** Many at once: all that can be met by one server. */
export const MANY: Readonly<Record<string, string>> = {
	'a busy cluster':
		'breakReadAfterRows=200 breakReadTimes=5 readChunkRows=11 interleaveRows=5 splitEveryRows=60 emptyMessages=true overloadBulkUpsertTimes=2 overloadedEvery=17 sessionCloseHint=true delayOperationsMs=5 slowPartition=0 slowPartitionMs=5 operationDelayMs=40',
	'a bad network': 'unavailableEvery=13 loseAnswerEvery=23 wireChunkBytes=4093 delayReadMs=2 unavailableTimes=2',
	'nodes that come and go':
		'restartEvery=41 restartMs=30 closeSessionsEvery=19 unavailableEvery=29 breakReadInPartition=0 breakReadAfterRows=50 breakReadTimes=3 clockOffsetMs=3600000 stampOffsetMinutes=180 keepStreams=true mergeChanges=true',
}

/** Servers that lie, lack something or never end: they must be noticed, and tests of their own say how. */
export const NOTICED: readonly string[] = [
	'endReadEarlyAfterRows',
	'dropBulkUpsertSilently',
	'maxCopyTargets',
	'collectionsDisabled',
	'stuckOperations',
	'failOperations',
	'streamRetentionMs',
	'olderChangeTables',
	'alterMembers',
	'unknownTypeOf',
	'storagePools',
	'unknownProgress',
	'withoutChecksums',
	'withoutPermissions',
	'withoutChangefeeds',
	'exportedKinds',
]

/** What a server is, not what befalls a call: they stay for its life. */
const LASTING: readonly string[] = [
	'clockOffsetMs',
	'operationDelayMs',
	'stampOffsetMinutes',
	'keepStreams',
	'mergeChanges',
	'olderChangeTables',
	'slowPartMs',
	'exportPartBytes',
	'storeRetryMinuteMs',
	'keepExportCopies',
	'exactFloats',
]

export interface Troubles {
	readonly lasting: Partial<Faults>
	/** On while the tool works, off while a test fills tables and looks at them with clients that try nothing again. */
	readonly passing: Partial<Faults>
}

/** Switches from words of `--fault`, divided by a space. */
export function troublesOf(words: string): Troubles {
	const faults = Object.entries(faultsOf(words.split(/\s+/u).filter((word) => word !== '')))
	const pick = (isWanted: (name: string) => boolean): Partial<Faults> =>
		Object.fromEntries(faults.filter(([name]) => isWanted(name)))
	return { lasting: pick((name) => LASTING.includes(name)), passing: pick((name) => !LASTING.includes(name)) }
}

/** What `YDBACKUP_TEST_FAULTS` wants all tests to run under. */
export const asked: Troubles = troublesOf(process.env['YDBACKUP_TEST_FAULTS'] ?? '')

/** Column tables are read in a transaction that ends with its session: under these troubles a backup of them fails, and tests of that say how. */
export const endsSnapshots: boolean =
	asked.passing.closeSessionsEvery !== undefined || asked.passing.restartEvery !== undefined

/** Does something under the passing troubles. A switch that a test has set itself is left to it. */
export async function under<T>(faults: Faults, { passing }: Troubles, work: () => Promise<T>): Promise<T> {
	const first = noFaults()
	const names = namesOf(passing).filter((name) => faults[name] === first[name])
	Object.assign(faults, pick(passing, names))
	try {
		return await work()
	} finally {
		Object.assign(faults, pick(first, names))
	}
}

/** Does something of a test's own while the tool works, without the passing troubles. */
export async function aside<T>(faults: Faults, { passing }: Troubles, work: () => Promise<T>): Promise<T> {
	const before = pick(faults, namesOf(passing))
	Object.assign(faults, pick(noFaults(), namesOf(passing)))
	try {
		return await work()
	} finally {
		Object.assign(faults, before)
	}
}

const namesOf = (troubles: Partial<Faults>): (keyof Faults)[] => Object.keys(troubles) as (keyof Faults)[]

function pick(from: Partial<Faults>, names: readonly (keyof Faults)[]): Partial<Faults> {
	return Object.fromEntries(names.map((name) => [name, from[name]]))
}
