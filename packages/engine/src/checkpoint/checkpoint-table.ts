import {
	BackupError,
	messageField,
	type ProtoField,
	protoFields,
	protoString,
	type ProtoText,
	type RowChunk,
	type TableSchema,
	textField,
} from '@ydbackup/core'
import { parseProtoText, tableSchemaOf } from '@ydbackup/format'
import {
	chunkFromFrames,
	concatBytes,
	createKeyReader,
	lengthDelimited,
	readVarint,
	TAG_ITEMS,
	valueFromText,
	valueToText,
	varintEnd,
} from '@ydbackup/rows'

/** Backups pass over names that begin with `~`. */
const PREFIX = '~ydbackup-restore-'
const MOST_BYTES = 256 << 10

/** `CreateTableRequest` of a checkpoint: texts by name. */
export const CHECKPOINT_SCHEME: ProtoText = parseProtoText(
	`columns { name: "name" type { optional_type { item { type_id: UTF8 } } } }
	columns { name: "data" type { optional_type { item { type_id: UTF8 } } } }
	primary_key: "name"`,
	'scheme of a checkpoint',
)
export const CHECKPOINT_SCHEMA: TableSchema = tableSchemaOf(CHECKPOINT_SCHEME, 'a checkpoint')

const CREATOR = 'ydbackup_creator'

export function creatorAttribute(creator: string): ProtoField {
	return messageField('attributes', [textField('key', CREATOR), textField('value', creator)])
}

export function creatorOf(scheme: ProtoText): string | undefined {
	const attributes = protoFields(scheme, 'attributes').flatMap((value) =>
		value.kind === 'message' ? [value.fields] : [],
	)
	const found = attributes.find((fields) => protoString(fields, 'key') === CREATOR)
	return found && protoString(found, 'value')
}

/** A name and its text. */
export type Entry = readonly [name: string, data: string]

/** Where the checkpoint of a run lies, relative to the database. */
export function checkpointPath(stamp: string): string {
	return `${PREFIX}${stamp}`
}

export function isCheckpointPath(path: string): boolean {
	return path.startsWith(PREFIX)
}

/** Entries as rows, in chunks of bounded size. */
export function* chunksOf(entries: Iterable<Entry>): Generator<RowChunk> {
	const key = createKeyReader(CHECKPOINT_SCHEMA)
	let frames: Uint8Array[] = []
	let bytes = 0
	for (const entry of entries) {
		const frame = frameOf(entry)
		frames.push(frame)
		bytes += frame.length
		if (bytes < MOST_BYTES) continue
		yield chunkFromFrames(concatBytes(frames), frames.length, key)
		frames = []
		bytes = 0
	}
	if (frames.length > 0) yield chunkFromFrames(concatBytes(frames), frames.length, key)
}

function frameOf(texts: Entry): Uint8Array {
	return lengthDelimited(TAG_ITEMS, concatBytes(texts.map(textCell)))
}

/** The cell of a text; also the key that consists of it. */
export function textCell(text: string): Uint8Array {
	return lengthDelimited(TAG_ITEMS, valueFromText([textField('text_value', text)]))
}

/** Errors: `FORMAT_INVALID`. */
export function entriesOf({ bytes }: RowChunk): Entry[] {
	const entries: Entry[] = []
	for (let at = 0; at < bytes.length;) {
		const length = readVarint(bytes, at + 1, bytes.length)
		const start = varintEnd
		at = start + length
		const cells = protoFields(valueToText(bytes.subarray(start, at)), 'items')
		const [name, data] = cells.map((cell) =>
			cell.kind === 'message' ? protoString(cell.fields, 'text_value') : undefined,
		)
		if (name === undefined || data === undefined) {
			throw new BackupError('FORMAT_INVALID', 'a row of a checkpoint has no text')
		}
		entries.push([name, data])
	}
	return entries
}
