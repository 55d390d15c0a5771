export { type Emulator, type EmulatorOptions, startEmulator } from './emulator.ts'
export type { Faults } from './faults.ts'
export { main } from './main.ts'
