import { BackupError, type Capabilities, isBackupError } from '@ydbackup/core'
import { blobOf, request, type StoreContext } from './context.ts'
import type { Task } from './trying.ts'

/** A name that is no key, so that no listing shows it. */
const PROBE = '.~ydbackup-probe'
const DELETE_MS = 10_000

/** Azure itself, over TLS: nobody in between can change a request, and it is known to obey. */
const IS_AZURE = /^https:\/\/[^/:]+\.blob\.core\.(?:windows\.net|chinacloudapi\.cn|usgovcloudapi\.net)(?:[:/]|$)/

/** A key signs the condition: without it the signature is wrong, while that of a read was right. The second is Azurite's. */
const IS_FORGED: ReadonlySet<unknown> = new Set(['AuthenticationFailed', 'AuthorizationFailure'])

/**
 * Whether a create-only put is refused where an object is, tried on an object that is removed again. Who may not delete leaves
 * it there, empty, and later openings meet it: that it is in the way is the proof. Imitations may ignore the condition, and
 * proxies strip it.
 */
export async function conditionsOf(context: StoreContext, task: Task): Promise<Capabilities['conditionalCreate']> {
	if (IS_AZURE.test(context.container.url)) return true
	const blob = blobOf(context, PROBE)
	const create = async (): Promise<boolean> => {
		try {
			await request(context, task, (abortSignal) =>
				blob.upload(Buffer.alloc(0), 0, { conditions: { ifNoneMatch: '*' }, abortSignal }),
			)
			return true
		} catch (error) {
			// The second is how a signature says it that may create and not rewrite.
			if (isBackupError(error, 'STORAGE_ALREADY_EXISTS')) return false
			if (isBackupError(error) && (error.reason === 'condition' || error.reason === 'overwrite')) return false
			throw error
		}
	}
	try {
		if (!(await create())) return true
		try {
			return (await create()) ? { lacking: 'If-None-Match is ignored, by the service or by a proxy on the way' } : true
		} finally {
			const end = { ...task, signal: AbortSignal.timeout(DELETE_MS) }
			await request(context, end, (abortSignal) => blob.delete({ abortSignal })).catch(() => undefined)
		}
	} catch (error) {
		if (!isBackupError(error)) throw error
		if (IS_FORGED.has(serviceCodeOf(error)) && error.reason === undefined)
			return { lacking: 'requests with If-None-Match arrive with a wrong signature: something on the way changes them' }
		// Who may not write at all will hear so from the first put.
		if (error.code === 'STORAGE_PERMISSION') return true
		if (error.code === 'STORAGE_UNSUPPORTED') return { lacking: 'the service refuses If-None-Match' }
		throw error
	}
}

function serviceCodeOf({ cause }: BackupError): unknown {
	return (cause as { code?: unknown } | undefined)?.code
}
