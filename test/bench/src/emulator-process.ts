// An emulator in a process of its own, which tells what it costs: node emulator-process.ts '<data directory>' (or nothing).
import { startEmulator } from '@ydbackup/emulator'

const dataDir = process.argv[2]
const emulator = await startEmulator({ limits: { paths: 1_000_000 }, ...(dataDir && { dataDir }) })
process.on('message', (question) => {
	if (question === 'close') return void emulator.close().then(() => process.exit(0))
	const { user, system } = process.cpuUsage()
	const { maxRSS } = process.resourceUsage()
	process.send!({ cpu: (user + system) / 1e6, rssMiB: process.memoryUsage.rss() / 2 ** 20, peakMiB: maxRSS / 1024 })
})
process.send!({ port: emulator.port })
