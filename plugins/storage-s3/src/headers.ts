import type { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'

/** Gives a request a header that the SDK has no parameter for, or would compute. It is signed with the others. */
export function setHeader(command: GetObjectCommand | PutObjectCommand, name: string, value: string): void {
	// The SDK adds some of its own in the step before, and signs in the step behind.
	const stack = command.middlewareStack as GetObjectCommand['middlewareStack']
	stack.add(
		(next) => (args) => {
			;(args.request as { headers: Record<string, string> }).headers[name] = value
			return next(args)
		},
		{ step: 'build', name: `set ${name}` },
	)
}
