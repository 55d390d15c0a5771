import { BackupError } from '@ydbackup/core'
import { orAborted } from '@ydbackup/core/driver-kit'
import { connect } from './connect.ts'
import type { Files } from './files.ts'
import type { SftpSettings } from './location.ts'

/** One connection at a time, shared by all calls, and made anew by the first call after it was lost. */
export class Session implements AsyncDisposable {
	readonly #settings: SftpSettings
	#connection: Promise<Files> | undefined
	#files: Files | undefined
	#isClosed = false

	constructor(settings: SftpSettings) {
		this.#settings = settings
	}

	async files(signal: AbortSignal | undefined, doing: string): Promise<Files> {
		if (this.#isClosed) throw new BackupError('STORAGE_PERMANENT', `${this.#settings.shown} was closed before ${doing}`)
		if (this.#files && !this.#files.isLost) return this.#files
		this.#files = undefined
		// It is not of the caller that began it: others wait for it too.
		this.#connection ??= connect(this.#settings)
			.then((files) => {
				if (this.#isClosed) void files[Symbol.asyncDispose]()
				return (this.#files = files)
			})
			.finally(() => (this.#connection = undefined))
		return orAborted(this.#connection, signal, doing)
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#isClosed = true
		await this.#files?.[Symbol.asyncDispose]()
	}
}
