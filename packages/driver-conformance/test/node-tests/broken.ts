import { conformance } from '../../src/node.ts'
import { memory, SMALL } from '../stores.ts'

const { open } = memory()

conformance('a broken driver', {
	open: async () => ({ ...(await open()), stat: async () => undefined }),
	plan: SMALL,
	isInProcess: true,
})
