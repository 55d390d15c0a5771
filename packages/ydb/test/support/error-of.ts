/** The error that a promise rejects with. */
export async function errorOf(promise: Promise<unknown>): Promise<Error & { code: string; advice?: string }> {
	try {
		await promise
	} catch (error) {
		return error as Error & { code: string }
	}
	throw new Error('nothing was thrown')
}
