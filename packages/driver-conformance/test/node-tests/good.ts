import { conformance } from '../../src/node.ts'
import { memory, SMALL } from '../stores.ts'

const { open } = memory()

conformance('the memory driver', { open, plan: SMALL, isInProcess: true })
