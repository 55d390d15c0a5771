/** A refusal, as the JSON API words it. */
export class ApiError extends Error {
	readonly status: number
	readonly reason: string
	readonly headers: Readonly<Record<string, string>>

	constructor(status: number, reason: string, message: string, headers: Record<string, string> = {}) {
		super(message)
		this.status = status
		this.reason = reason
		this.headers = headers
	}
}

/** The body that the JSON API sends with a refusal. */
export function errorBody({ status, reason, message }: ApiError): string {
	const part = { message, domain: 'global', reason }
	return JSON.stringify({ error: { code: status, message, errors: [part] } })
}

export const badRequest = (message: string, reason = 'invalid'): ApiError => new ApiError(400, reason, message)

export const noBucket = (): ApiError => new ApiError(404, 'notFound', 'The specified bucket does not exist.')

export const noObject = (bucket: string, name: string): ApiError =>
	new ApiError(404, 'notFound', `No such object: ${bucket}/${name}`)

export const unmetCondition = (): ApiError =>
	new ApiError(412, 'conditionNotMet', 'At least one of the pre-conditions you specified did not hold.')

export const retained = (bucket: string, name: string, until: Date): ApiError =>
	new ApiError(
		403,
		'retentionPolicyNotMet',
		`Object '${bucket}/${name}' is subject to bucket's retention policy or object retention and cannot be deleted or overwritten until ${until.toISOString()}`,
	)

export const forbidden = (who: string, permission: string, what: string): ApiError =>
	new ApiError(
		403,
		'forbidden',
		`${who} does not have ${permission} access to the Google Cloud Storage ${what}. Permission '${permission}' denied on resource (or it may not exist).`,
	)

export const unauthorized = (message = 'Invalid Credentials'): ApiError =>
	new ApiError(401, 'authError', message, { 'WWW-Authenticate': 'Bearer realm="https://accounts.google.com/"' })
