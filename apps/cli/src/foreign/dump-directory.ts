import { type FileHandle, mkdir, open, readdir, unlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { BackupError, throwIfInterrupted } from '@ydbackup/core'
import type { DumpTarget } from '@ydbackup/engine'
import { fileError } from './file-error.ts'

/** A directory that is not there yet, or is empty, to be filled with files that nobody else may read. */
export function createDumpDirectory(path: string): DumpTarget {
	const root = resolve(path)
	const at = (relative: string): string => {
		const names = relative.split('/')
		if (names.some((name) => name === '' || name === '.' || name === '..' || name.includes('\0')))
			throw new BackupError('INTERNAL', `${JSON.stringify(relative)} is no path below ${root}`)
		return join(root, ...names)
	}

	return {
		location: root,

		async prepare() {
			try {
				await mkdir(root, { recursive: true, mode: 0o700 })
				const [first] = await readdir(root)
				if (first === undefined) return
				throw new BackupError('STORAGE_ALREADY_EXISTS', `${root} is not empty: it holds ${first}`, {
					advice: 'give a directory that is empty or is not there: nothing is overwritten or mixed',
				})
			} catch (error) {
				throw fileError(error, `cannot create ${root}`)
			}
		},

		async makeDirectory(relative) {
			try {
				await mkdir(at(relative), { mode: 0o700 })
				await syncDirectory(dirname(at(relative)))
			} catch (error) {
				throw fileError(error, `cannot create ${at(relative)}`)
			}
		},

		async writeFile(relative, pieces, { signal } = {}) {
			let handle: FileHandle | undefined
			try {
				handle = await open(at(relative), 'wx', 0o600)
				for await (const bytes of pieces) {
					throwIfInterrupted(signal, `writing ${relative}`)
					for (let done = 0; done < bytes.length;) done += (await handle.write(bytes, done)).bytesWritten
				}
				await handle.sync()
			} catch (error) {
				throw fileError(error, `cannot write ${at(relative)}`)
			} finally {
				await handle?.close()
			}
		},

		async removeFile(relative) {
			try {
				// What lies beside it must be there for good before the marker that says otherwise goes.
				await syncDirectory(dirname(at(relative)))
				await unlink(at(relative))
			} catch (error) {
				throw fileError(error, `cannot remove ${at(relative)}`)
			}
		},
	}
}

async function syncDirectory(path: string): Promise<void> {
	// Windows knows no such thing.
	if (process.platform === 'win32') return
	const handle = await open(path, 'r')
	try {
		await handle.sync()
	} finally {
		await handle.close()
	}
}
