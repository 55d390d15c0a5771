import { create, fromBinary } from '@bufbuild/protobuf'
import { LoginRequestSchema, LoginResultSchema } from '@ydbjs/api/auth'
import type { Operation } from '@ydbjs/api/operation'
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { YdbError } from '../error.ts'
import type { Accounts } from '../scheme/accounts.ts'
import { success } from './envelope.ts'

const LIFE_SECONDS = 43_200

/** Tokens of users who logged in: they end with the process. */
export class Tokens {
	readonly #secret = randomBytes(32)
	readonly #database: string
	readonly #accounts: Accounts
	readonly #now: () => number

	constructor(database: string, accounts: Accounts, now: () => number) {
		this.#now = now
		this.#database = database
		this.#accounts = accounts
	}

	#sign(head: string, body: string): string {
		return createHmac('sha256', this.#secret).update(`${head}.${body}`).digest('base64url')
	}

	/** The user of a token that is valid. */
	userOf(token: string): string | undefined {
		const [head = '', body = '', signature = ''] = token.split('.')
		const right = Buffer.from(this.#sign(head, body))
		const given = Buffer.from(signature)
		if (given.length !== right.length || !timingSafeEqual(given, right)) return undefined
		const { sub, exp } = JSON.parse(Buffer.from(body, 'base64url').toString()) as { sub: string; exp: number }
		return exp * 1000 > this.#now() && this.#accounts.knows(sub) ? sub : undefined
	}

	login(bytes: Buffer): Operation {
		const { user, password } = fromBinary(LoginRequestSchema, bytes)
		if (!this.#accounts.mayLogIn(user, password)) throw new YdbError('UNAUTHORIZED', 'Invalid login or password')
		const now = Math.floor(this.#now() / 1000)
		const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
		const head = part({ alg: 'HS256', typ: 'JWT' })
		const body = part({ aud: [this.#database], iat: now, exp: now + LIFE_SECONDS, sub: user })
		const token = `${head}.${body}.${this.#sign(head, body)}`
		return success(LoginResultSchema, create(LoginResultSchema, { token }))
	}
}
