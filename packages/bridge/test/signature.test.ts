import { expect, test } from 'vitest'
import { type SignedRequest, verifySignature } from '../src/signature.ts'

/** The examples of the Amazon S3 API reference, "Signature Calculations for the Authorization Header: Transferring Payload in a Single Chunk". */
const CREDENTIAL = { accessKey: 'AKIAIOSFODNN7EXAMPLE', secretKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' }
const NOW = Date.UTC(2013, 4, 24)
const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
const HOST = 'examplebucket.s3.amazonaws.com'

function signed(
	method: string,
	url: string,
	names: string,
	signature: string,
	more: Record<string, string> = {},
): SignedRequest {
	const authorization = `AWS4-HMAC-SHA256 Credential=${CREDENTIAL.accessKey}/20130524/us-east-1/s3/aws4_request,SignedHeaders=${names},Signature=${signature}`
	const headers = {
		host: HOST,
		'x-amz-content-sha256': EMPTY,
		'x-amz-date': '20130524T000000Z',
		authorization,
		...more,
	}
	return { method, url, headers }
}

const GET = signed(
	'GET',
	'/test.txt',
	'host;range;x-amz-content-sha256;x-amz-date',
	'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
	{ range: 'bytes=0-9' },
)
const PAYLOAD = '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072'
const PUT = signed(
	'PUT',
	'/test%24file.text',
	'date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class',
	'98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
	{
		date: 'Fri, 24 May 2013 00:00:00 GMT',
		'x-amz-storage-class': 'REDUCED_REDUNDANCY',
		'x-amz-content-sha256': PAYLOAD,
	},
)
const LIFECYCLE = signed(
	'GET',
	'/?lifecycle',
	'host;x-amz-content-sha256;x-amz-date',
	'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
)
const LIST = signed(
	'GET',
	'/?max-keys=2&prefix=J',
	'host;x-amz-content-sha256;x-amz-date',
	'34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
)

test("Amazon's own examples are authentic, and say the hash of their body", () => {
	expect([GET, PUT, LIFECYCLE, LIST].map((request) => verifySignature(request, CREDENTIAL, NOW))).toEqual([
		EMPTY,
		PAYLOAD,
		EMPTY,
		EMPTY,
	])
})

test('parts of the query may come in any order, and the path more encoded than it must be', () => {
	expect(verifySignature({ ...LIST, url: '/?prefix=J&max-keys=2' }, CREDENTIAL, NOW)).toBe(EMPTY)
	expect(verifySignature({ ...GET, url: '/%74est.txt' }, CREDENTIAL, NOW)).toBe(EMPTY)
})

test('nothing that is signed can be another', () => {
	const others: [SignedRequest, string][] = [
		[{ ...GET, method: 'DELETE' }, 'SignatureDoesNotMatch'],
		[{ ...GET, url: '/test.txt?acl' }, 'SignatureDoesNotMatch'],
		[{ ...GET, url: '/other.txt' }, 'SignatureDoesNotMatch'],
		[{ ...GET, headers: { ...GET.headers, range: 'bytes=0-10' } }, 'SignatureDoesNotMatch'],
		[{ ...PUT, headers: { ...PUT.headers, 'x-amz-content-sha256': EMPTY } }, 'SignatureDoesNotMatch'],
		[{ ...GET, headers: { ...GET.headers, 'x-amz-date': '20130524T000001Z' } }, 'SignatureDoesNotMatch'],
		[{ ...GET, headers: { ...GET.headers, 'x-amz-date': '20130523T000000Z' } }, 'RequestTimeTooSkewed'],
		[{ ...GET, headers: { ...GET.headers, authorization: undefined } }, 'AccessDenied'],
		[{ ...GET, url: '/%zz' }, 'InvalidRequest'],
	]
	for (const [request, code] of others)
		expect(() => verifySignature(request, CREDENTIAL, NOW)).toThrow(expect.objectContaining({ code }))
})

test('another key, another secret and another time are refused', () => {
	const later = NOW + 16 * 60_000
	for (const [credential, now, code] of [
		[{ ...CREDENTIAL, accessKey: 'AKIAIOSFODNN7EXAMPLF' }, NOW, 'AccessDenied'],
		[{ ...CREDENTIAL, secretKey: `${CREDENTIAL.secretKey} ` }, NOW, 'SignatureDoesNotMatch'],
		[CREDENTIAL, later, 'RequestTimeTooSkewed'],
		[CREDENTIAL, NOW - (later - NOW), 'RequestTimeTooSkewed'],
	] as const)
		expect(() => verifySignature(GET, credential, now)).toThrow(expect.objectContaining({ code }))
})
