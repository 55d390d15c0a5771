import { createHash, hash } from 'node:crypto'

export interface Sha256 {
	update(bytes: Uint8Array): void
	/** Lower-case hex. May be asked once. */
	hex(): string
}

export function createSha256(): Sha256 {
	const state = createHash('sha256')
	return {
		update(bytes) {
			state.update(bytes)
		},
		hex: () => state.digest('hex'),
	}
}

export function sha256Hex(bytes: Uint8Array): string {
	return hash('sha256', bytes, 'hex')
}
