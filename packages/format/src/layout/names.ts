import { type Compression } from '../compression/compression.ts'

/** The header of a repository. */
export const repositoryKey = 'ydbackup.json'
/** Every backup has its manifest below this prefix. */
export const catalogRoot = 'catalog/'
/** Every unfinished run has its record below this prefix. */
export const runsRoot = 'runs/'

/** The root of a native export: what `ydb import s3 --source-prefix` takes. */
export function backupPrefix(id: string): string {
	return `backups/${id}`
}

export function catalogPrefix(id: string): string {
	return `catalog/${id}`
}

/** An export of its own, of what the cluster leaves out of the one that it writes; in the catalog, because `backups/<id>/` is the cluster's. */
export function besidePrefix(id: string): string {
	return `catalog/${id}/beside`
}

/** Files of items of {@link backupPrefix} that the cluster leaves out, below the items' own folders. */
export function addedPrefix(id: string): string {
	return `catalog/${id}/added`
}

/** Whether a key is of a file without which YDB's own import finds nothing in a backup: written last, and deleted first. */
export function isRootKey(id: string, key: string): boolean {
	return [`${backupPrefix(id)}/`, `${besidePrefix(id)}/`].some((root) => {
		return key.startsWith(root) && (!key.slice(root.length).includes('/') || key.startsWith(`${root}SchemaMapping/`))
	})
}

export function manifestKey(id: string): string {
	return `catalog/${id}/manifest.json`
}

export function objectsKey(id: string): string {
	return `catalog/${id}/objects.json`
}

/** Every key that has opened a backup has its records below this prefix. */
export const keysRoot = 'keys/'

/** That a key opened a backup on a day (`20261124`): one object for each key and day. */
export function keyUseKey(keyId: string, day: string): string {
	return `${keysRoot}${keyId}/${day}.json`
}

/** What is encrypted has this behind its name. */
export const encryptedSuffix = '.enc'

export function runKey(id: string): string {
	return runFileKey(id, 'run.json')
}

/** What an unfinished run keeps to go on with. */
export function runFileKey(id: string, name: string): string {
	return `${runsRoot}${id}/${name}`
}

/** Who is at work, until when: each renewal is a new object. */
export const leasesRoot = 'leases/'

export function leaseKey(token: string, renewal: number): string {
	return `${leasesRoot}${token}/${String(renewal).padStart(6, '0')}.json`
}

/** Every backup that is being deleted has an object below this prefix, written before the first delete. */
export const tombstonesRoot = 'tombstones/'

export function tombstoneKey(id: string): string {
	return `${tombstonesRoot}${id}.json`
}

/** Every backup that must not be deleted has its markers below this prefix. */
export const holdsRoot = 'holds/'

export function holdKey(id: string, token: string): string {
	return `${holdsRoot}${id}/${token}.json`
}

/** The folder of the n-th item, from 1: `001`. Paths of objects never become keys. */
export function itemPrefix(number: number): string {
	return String(number).padStart(3, '0')
}

/** The data file of a partition, from 0: `data_00.csv` or `data_00.csv.zst`. */
export function dataName(partition: number, compression: Compression): string {
	return `data_${String(partition).padStart(2, '0')}.csv${compression === 'none' ? '' : '.zst'}`
}

/** The name of a file's sidecar: it is named after the plain file, without `.zst` and `.enc`. */
export function checksumName(name: string): string {
	return `${name.replace(/\.enc$/u, '').replace(/\.zst$/u, '')}.sha256`
}
