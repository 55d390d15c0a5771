import { conformance } from '../src/vitest.ts'
import { memory, SMALL } from './stores.ts'

const { open } = memory()

conformance('the memory driver', { open, level: 'full', plan: SMALL, isInProcess: true })
