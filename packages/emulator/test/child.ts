// An emulator in a process of its own: node child.ts '<EmulatorOptions as JSON>'. Prints its connection string.
import { startEmulator } from '@ydbackup/emulator'

const emulator = await startEmulator({
	...(JSON.parse(process.argv[2]!) as object),
	onNotice: (text) => console.error(text),
})
console.log(emulator.connectionString)
