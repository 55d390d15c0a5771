import { BackupError } from '@ydbackup/core'

/** The error of a place in a text: `file:line:column: what`. The column counts bytes from 1. */
export function textError(file: string, text: Uint8Array, offset: number, what: string): BackupError {
	let line = 1
	let lineStart = 0
	for (let p = text.indexOf(0x0a); p !== -1 && p < offset; p = text.indexOf(0x0a, p + 1)) {
		line++
		lineStart = p + 1
	}
	return new BackupError('FORMAT_INVALID', `${file}:${line}:${offset - lineStart + 1}: ${what}`, {
		advice: 'the file is damaged, or is no protobuf text; take the backup from another copy',
	})
}
