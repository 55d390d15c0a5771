import { afterAll } from 'vitest'

// Workers serve many files: what one of them makes of the environment ends with it.
const before = { ...process.env }

afterAll(() => {
	for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name]
	Object.assign(process.env, before)
})
