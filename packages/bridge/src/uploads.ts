import { S3Error } from './s3-error.ts'
import { Upload, type UploadOptions } from './upload.ts'

/** Uploads that were begun and not ended, and those of late that were completed. */
const MOST = 10_000

/** All multipart uploads of a bridge. */
export class Uploads {
	readonly #all = new Map<string, Upload>()

	/** A key has one writer: whoever begins anew has given up what he began before. */
	begin(options: UploadOptions): Upload {
		for (const older of this.#all.values()) {
			if (older.key !== options.key) continue
			this.#all.delete(older.id)
			void older.abort('another upload of this key was begun')
		}
		if (this.#all.size >= MOST) this.#all.delete(this.#all.keys().next().value!)
		const upload = new Upload(options)
		this.#all.set(upload.id, upload)
		return upload
	}

	/** Errors: `NoSuchUpload`. */
	find(id: string, key: string): Upload {
		const upload = this.#all.get(id)
		if (upload?.key !== key) throw new S3Error('NoSuchUpload', 'there is no such upload')
		return upload
	}

	async abort(upload: Upload): Promise<void> {
		this.#all.delete(upload.id)
		await upload.abort('the upload was given up')
	}

	async close(): Promise<void> {
		const all = [...this.#all.values()]
		this.#all.clear()
		await Promise.all(all.map((upload) => upload.abort('the bridge is closed')))
	}
}
