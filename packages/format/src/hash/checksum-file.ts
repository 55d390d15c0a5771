import { BackupError } from '@ydbackup/core'

const LONGEST = 4096

/**
 * A `.sha256` file as YDB writes and reads it: `<hex> <name>`, one space, no line end. `hex` is of the plain bytes, `name` is the
 * file's name without folder, `.zst` and `.enc`. Source: `ydb/core/backup/common/checksum.cpp`.
 */
export function checksumFile(name: string, hex: string): Uint8Array {
	return Buffer.from(`${hex} ${name}`)
}

/** The lower-case hex of a `.sha256` file, with or without a name. `FORMAT_INVALID` naming `file`. */
export function parseChecksumFile(bytes: Uint8Array, file: string): string {
	const text = bytes.length > LONGEST ? '' : Buffer.from(bytes).toString('latin1')
	const hex = text.split(/[ \t\r\n]/u, 1)[0]?.toLowerCase() ?? ''
	if (/^[0-9a-f]{64}$/u.test(hex)) return hex
	throw new BackupError('FORMAT_INVALID', `${file} holds no SHA-256`, {
		advice: 'the file is damaged; take the backup from another copy',
	})
}
