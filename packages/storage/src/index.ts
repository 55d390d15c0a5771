export { MEMORY_CAPABILITIES, type MemoryOptions, openMemory } from './memory.ts'
export { observing, type ObservingOptions, type StorageCall, type StorageOperation } from './observing.ts'
export { readOnly } from './read-only.ts'
export { retrying, type RetryingOptions } from './retrying.ts'
