export { MEMORY_CAPABILITIES, type MemoryOptions, openMemory } from './memory.ts'
export { readOnly } from './read-only.ts'
export { retrying, type RetryingOptions } from './retrying.ts'
