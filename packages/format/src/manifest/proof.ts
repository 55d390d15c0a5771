import { BackupError } from '@ydbackup/core'
import { canonicalJson, type JsonValue } from '../json/canonical-json.ts'
import { Fields, type TextRule } from '../json/fields.ts'
import { parseJson } from '../json/parse-json.ts'

/** `catalog/<id>/proof-….json`: all of a backup was read, after it was committed, and was right. */
export interface Proof {
	readonly backup: string
	/** Of which manifest. */
	readonly manifestSha256: string
	/** RFC 3339, by the client's clock. */
	readonly at: string
	readonly tool: { readonly name: string; readonly version: string }
	/** What the manifest leaves open: of files that the cluster wrote. */
	readonly files: readonly ProvenFile[]
}

export interface ProvenFile {
	readonly key: string
	/** See `ManifestFile`. */
	readonly sha256: string
	readonly plainSize: number
	readonly plainSha256: string
	readonly rows: number
	readonly rowHash: string
}

export const MAX_PROOF_BYTES: number = 128 << 20

const HEX: TextRule = { like: [/^[0-9a-f]{64}$/u, 'SHA-256'] }
const TIME: TextRule = { max: 40, like: [/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/u, 'time'] }
const ROW_HASH: TextRule = { max: 128, like: [/^[\u0021-\u007E]*$/u, 'hash of rows'] }

export function encodeProof(proof: Proof): Uint8Array {
	return Buffer.from(canonicalJson({ ydbackup: 'proof', version: 1, ...proof } as unknown as JsonValue))
}

/** Errors: `FORMAT_INVALID` naming `where`. */
export function decodeProof(bytes: Uint8Array, where: string): Proof {
	function complain(what: string, cause?: unknown): BackupError {
		return new BackupError('FORMAT_INVALID', `${where} ${what}`, {
			advice: 'verify the backup again; a proof that cannot be read may be deleted',
			cause,
		})
	}
	const fields = new Fields(parseJson(bytes, { maxBytes: MAX_PROOF_BYTES }, complain), '', complain)
	if (fields.text('ydbackup') !== 'proof') throw complain('is no proof')
	if (fields.count('version') !== 1) throw complain('was written by a newer version')
	const tool = fields.fields('tool')
	return {
		backup: fields.text('backup', { max: 64 }),
		manifestSha256: fields.text('manifestSha256', HEX),
		at: fields.text('at', TIME),
		tool: { name: tool.text('name'), version: tool.text('version') },
		files: fields.list('files').map((file) => ({
			key: file.text('key', { max: 1024 }),
			sha256: file.text('sha256', HEX),
			plainSize: file.count('plainSize'),
			plainSha256: file.text('plainSha256', HEX),
			rows: file.count('rows'),
			rowHash: file.text('rowHash', ROW_HASH),
		})),
	}
}
