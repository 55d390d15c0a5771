import { BackupError } from '@ydbackup/core'

/** How data files are compressed: not at all, or with zstd of a level from 1 to 22. */
export type Compression = 'none' | `zstd-${number}`

/** Reads `none`, `zstd` (level 3, as YDB has it) or `zstd-1` … `zstd-22`. `CONFIG_INVALID` for anything else. */
export function parseCompression(text: string): Compression {
	const compression = readCompression(text)
	if (compression !== undefined) return compression
	throw new BackupError('CONFIG_INVALID', `${JSON.stringify(text.slice(0, 100))} is no compression`, {
		advice: 'give none, zstd, or zstd-1 to zstd-22',
	})
}

export function readCompression(text: string): Compression | undefined {
	if (text === 'none') return 'none'
	if (text === 'zstd') return 'zstd-3'
	const level = /^zstd-([1-9]\d?)$/u.exec(text)?.[1]
	return level === undefined || Number(level) > 22 ? undefined : `zstd-${Number(level)}`
}

/** The level; undefined when there is no compression. */
export function zstdLevel(compression: Compression): number | undefined {
	return compression === 'none' ? undefined : Number(compression.slice('zstd-'.length))
}
