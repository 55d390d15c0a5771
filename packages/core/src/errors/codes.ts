/** What an error is about. The command line turns a kind into an exit code; libraries may branch on it. */
export type ErrorKind =
	| 'unexpected'
	| 'usage'
	| 'damaged'
	| 'not-found'
	| 'conflict'
	| 'database'
	| 'storage'
	| 'permission'
	| 'partial'
	| 'interrupted'

/** Every code that an error of ydbackup can have, with its kind. Codes are stable: scripts branch on them. */
export const ERROR_CODES = {
	/** A bug of ours, or a failure that nobody foresaw. */
	INTERNAL: 'unexpected',

	/** A flag, an environment variable, a configuration key or an argument that cannot be used. */
	CONFIG_INVALID: 'usage',
	/** A repository URL that no driver can read. */
	LOCATION_INVALID: 'usage',
	/** No installed package serves the scheme of a URL. */
	DRIVER_MISSING: 'usage',
	/** A driver package that breaks the contract: wrong number, wrong shape, throws while loading, claims a taken scheme. */
	DRIVER_INVALID: 'usage',
	/** Something that is asked for cannot be done with this database, store or version. */
	UNSUPPORTED: 'usage',

	/** An object is not on storage. */
	STORAGE_NOT_FOUND: 'not-found',
	/** A create-only put met an object that exists. */
	STORAGE_ALREADY_EXISTS: 'conflict',
	/** The store refuses: credentials, rights, retention. */
	STORAGE_PERMISSION: 'permission',
	/** The store asks to slow down. */
	STORAGE_THROTTLED: 'storage',
	/** A failure that another try may not meet: a reset, a time-out, a 500. */
	STORAGE_TRANSIENT: 'storage',
	/** A failure that another try will meet again. */
	STORAGE_PERMANENT: 'storage',
	/** Bytes that arrived are not the bytes that were meant. */
	STORAGE_INTEGRITY: 'damaged',
	/** The store cannot do this; its capabilities said so. */
	STORAGE_UNSUPPORTED: 'usage',
	/** No room is left, or a quota is used up. */
	STORAGE_QUOTA: 'storage',

	/** There is no repository at the URL. */
	REPOSITORY_NOT_FOUND: 'not-found',
	/** There is a repository at the URL already, or something else that is in the way. */
	REPOSITORY_EXISTS: 'conflict',
	/** The repository was written by a newer major version. */
	REPOSITORY_VERSION: 'damaged',
	/** The repository's own header cannot be read. */
	REPOSITORY_DAMAGED: 'damaged',
	/** No backup has this id, or there is none at all. */
	BACKUP_NOT_FOUND: 'not-found',
	/** The new backup's id would not be above the newest one's. */
	BACKUP_ID_CONFLICT: 'conflict',
	/** No unfinished run has this id. */
	RUN_NOT_FOUND: 'not-found',
	/** Somebody else is at work with the same backup or run. */
	LEASED: 'conflict',
	/** Our own lease could not be renewed in time: somebody else may have taken over. */
	LEASE_LOST: 'conflict',
	/** A backup must stay: others build upon it, it is held, or somebody uses it. */
	BACKUP_NEEDED: 'conflict',
	/** A backup is being deleted. */
	BACKUP_DELETED: 'conflict',
	/** A manifest that is not what was committed, or that asks for the impossible. */
	MANIFEST_INVALID: 'damaged',
	/** A manifest of a newer major version. */
	MANIFEST_VERSION: 'damaged',
	/** An object that the manifest lists is not there. */
	OBJECT_MISSING: 'damaged',
	/** An object has another size, hash, count or content than the manifest says. */
	OBJECT_DAMAGED: 'damaged',
	/** A file of a backup does not follow its format. */
	FORMAT_INVALID: 'damaged',

	/** Something is encrypted, and no key was given. */
	KEY_REQUIRED: 'usage',
	/** No key that was given is the one that something was encrypted with. */
	KEY_WRONG: 'permission',
	/** A key could not be had from where it is kept. */
	KEY_UNAVAILABLE: 'permission',

	/** No connection to the database could be made, or it was lost for longer than the budget. */
	DATABASE_UNREACHABLE: 'database',
	/** The database does not know who we are. */
	DATABASE_UNAUTHENTICATED: 'permission',
	/** The database knows us and refuses. */
	DATABASE_PERMISSION: 'permission',
	/** The endpoint does not serve this database. */
	DATABASE_NOT_FOUND: 'database',
	/** The database refused a request; its issues are in the message. */
	DATABASE_REFUSED: 'database',
	/** A path is not in the database. */
	PATH_NOT_FOUND: 'not-found',
	/** A path is taken in the database. */
	PATH_EXISTS: 'conflict',
	/** The database has no operation of that id. */
	OPERATION_NOT_FOUND: 'not-found',
	/** The nodes of the cluster cannot reach a store that we reach. */
	CLUSTER_CANNOT_REACH: 'database',
	/** A column has a type that we do not know: its values could not be kept exactly. */
	TYPE_UNKNOWN: 'database',
	/** Tables were dropped or altered while the snapshot was being taken. */
	SCHEMA_CHANGED: 'database',
	/** The copies that a run made are not there any more, or are not the same ones. */
	COPIES_GONE: 'database',
	/** More tables than one consistent copy can hold. */
	TOO_MANY_TABLES: 'database',
	/** Rows arrived out of key order, twice, or outside of the range that was asked for. */
	ROWS_OUT_OF_ORDER: 'database',
	/** The number of rows is not the number that it must be. */
	COUNT_MISMATCH: 'damaged',
	/** Restored rows are not the rows of the backup. */
	DATA_MISMATCH: 'damaged',

	/** An incremental chain cannot be continued or applied; the reason is in `reason`. */
	CHAIN_BROKEN: 'conflict',

	/** Some parts were done and some were not. */
	PARTIAL: 'partial',
	/** Stopped on request; what is left can be resumed or discarded. */
	INTERRUPTED: 'interrupted',
	/** A wait reached its bound. */
	DEADLINE_EXCEEDED: 'database',
} as const

export type ErrorCode = keyof typeof ERROR_CODES
