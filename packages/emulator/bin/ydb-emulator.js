#!/usr/bin/env node
import { main } from '@ydbackup/emulator'

await main(process.argv.slice(2))
