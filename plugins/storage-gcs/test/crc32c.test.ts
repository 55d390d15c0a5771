import { expect, test } from 'vitest'
import { crc32c, crc32cText } from '../src/crc32c.ts'

test('the vectors of RFC 3720, B.4', () => {
	const ascending = Uint8Array.from({ length: 32 }, (_, at) => at)
	expect(crc32c(0, new Uint8Array(32))).toBe(0x8a9136aa)
	expect(crc32c(0, new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43)
	expect(crc32c(0, ascending)).toBe(0x46dd794e)
	expect(crc32c(0, ascending.toReversed())).toBe(0x113fdb5c)
	expect(crc32c(0, Buffer.from('123456789'))).toBe(0xe3069283)
	expect(crc32c(0, new Uint8Array(0))).toBe(0)
})

test('the same in pieces, however they lie in memory', () => {
	const bytes = Uint8Array.from({ length: 5000 }, (_, at) => (at * 7919) >> 3)
	const whole = crc32c(0, bytes)
	for (let shift = 0; shift < 9; shift++) {
		const shifted = new Uint8Array(bytes.length + shift).subarray(shift)
		shifted.set(bytes)
		let sum = 0
		for (let at = 0, size = 1; at < shifted.length; at += size, size = (size * 3 + shift) % 97 || 1)
			sum = crc32c(sum, shifted.subarray(at, at + size))
		expect(sum).toBe(whole)
	}
})

test('the text is big-endian base64, as the service writes it', () => {
	expect(crc32cText(crc32c(0, Buffer.from('123456789')))).toBe('4waSgw==')
	expect(crc32cText(0)).toBe('AAAAAA==')
})
