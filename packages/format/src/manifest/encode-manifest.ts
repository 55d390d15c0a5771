import { sha256Hex } from '../hash/sha256.ts'
import { authenticate, type EncryptionKey } from '../encryption/key.ts'
import { canonicalMembers, joinMembers, type JsonValue } from '../json/canonical-json.ts'
import type { Manifest } from './manifest.ts'

/** A manifest may have this many bytes: some hundred thousand files. */
export const MAX_MANIFEST_BYTES: number = 256 << 20

/** The bytes of a manifest: canonical JSON with the SHA-256 of the canonical JSON without it. */
export function encodeManifest(manifest: Omit<Manifest, 'sha256'>): Uint8Array {
	const members = canonicalMembers(manifest as unknown as { readonly [key: string]: JsonValue })
	const { text } = sealMembers(members.filter(([key]) => key !== 'sha256'))
	return Buffer.from(text)
}

/** SHA-256 over all members but `mac` and `sha256`: what a {@link Manifest.mac} is over. */
export function hashUnderMac(members: readonly [string, string][]): string {
	return sha256Hex(Buffer.from(joinMembers(members.filter(([key]) => key !== 'mac' && key !== 'sha256'))))
}

/** The manifest with the mark of a key. */
export function authenticateManifest(
	manifest: Omit<Manifest, 'sha256' | 'mac'>,
	key: EncryptionKey,
): Omit<Manifest, 'sha256'> {
	const over = hashUnderMac(canonicalMembers(manifest as unknown as { readonly [key: string]: JsonValue }))
	return { ...manifest, mac: { over, tag: authenticate(key, over) } }
}

/** Members without `sha256`, in canonical order → the text with it. */
export function sealMembers(members: readonly [string, string][]): { readonly sha256: string; readonly text: string } {
	const sha256 = sha256Hex(Buffer.from(joinMembers(members)))
	const at = members.findIndex(([key]) => key > 'sha256')
	const sealed = members.toSpliced(at === -1 ? members.length : at, 0, ['sha256', JSON.stringify(sha256)])
	return { sha256, text: joinMembers(sealed) }
}
