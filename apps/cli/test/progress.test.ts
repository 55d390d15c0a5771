import type { EngineEvent, EngineEventBody } from '@ydbackup/engine'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { ProgressDisplay, type ProgressStyle } from '../src/progress/progress-display.ts'
import { ProgressMeter } from '../src/progress/progress-meter.ts'

const event = (body: EngineEventBody): EngineEvent => ({ version: 1, ...body })
const at = (
	elapsedMs: number,
	bytes: number,
	totalBytes: number | undefined = 1000,
): EngineEvent & { type: 'progress' } => ({
	version: 1,
	type: 'progress',
	rows: bytes / 10,
	bytes,
	storedBytes: bytes / 2,
	totalBytes,
	tablesDone: 0,
	tablesTotal: 2,
	elapsedMs,
})

function displayOf(style: ProgressStyle, isTTY = false) {
	let text = ''
	let time = 0
	const output = { write: (part: string) => (text += part), isTTY, columns: 100 }
	const display = new ProgressDisplay({ style, output, now: () => time })
	return {
		display,
		send(now: number, body: EngineEventBody) {
			time = now
			display.onEvent(event(body))
		},
		get text() {
			return text
		},
	}
}

test('percent never falls, whatever the events say, and a run that succeeds ends at 100', () => {
	const bytes = fc.nat(2000)
	fc.assert(
		fc.property(
			fc.array(fc.tuple(bytes, fc.option(bytes, { nil: undefined }), fc.nat(5000)), { minLength: 1 }),
			(steps) => {
				const meter = new ProgressMeter()
				let elapsed = 0
				let last = 0
				for (const [done, total, passed] of steps) {
					elapsed += passed
					meter.advance(at(elapsed, done, total))
					const { percent = 0, bytesPerSecond, remainingMs = 0 } = meter.read()
					expect(percent).toBeGreaterThanOrEqual(last)
					expect(percent).toBeLessThanOrEqual(100)
					expect(bytesPerSecond).toBeGreaterThanOrEqual(0)
					expect(Number.isFinite(remainingMs)).toBe(true)
					last = percent
				}
				meter.complete()
				expect(meter.read().percent).toBe(100)
			},
		),
	)
})

test('rate and remaining time follow a steady run', () => {
	const meter = new ProgressMeter()
	for (let step = 1; step <= 100; step++) meter.advance(at(step * 100, step * 50_000, 10_000_000))
	const { bytesPerSecond, remainingMs, percent } = meter.read()
	expect(bytesPerSecond).toBeCloseTo(500_000, -2)
	expect(remainingMs).toBeCloseTo(10_000, -2)
	expect(percent).toBe(50)
})

test('a terminal gets one line that is updated, with phase, rows, bytes, MB/s, percent, ETA and tables', () => {
	using bar = displayOf('auto', true).display
	expect(bar).toBeDefined()
	const shown = displayOf('auto', true)
	shown.send(0, { type: 'phase', name: 'data', text: 'reading 2 tables' })
	for (let step = 1; step <= 50; step++) shown.send(step * 100, at(step * 100, step * 100_000, 10_000_000))
	const last = shown.text.split('\r\u001b[K').at(-1)
	expect(last).toBe('reading 2 tables  500,000 rows  5.00 MB  1.0 MB/s  50%  ETA 5.0 s  0/2 tables')
	expect(shown.text).not.toContain('\n')
	shown.display[Symbol.dispose]()
	expect(shown.text.endsWith('\r\u001b[K')).toBe(true)
})

test('elsewhere a line comes every few seconds, and none for work under a second', () => {
	const short = displayOf('auto')
	for (let now = 0; now < 1000; now += 50) short.send(now, at(now, now))
	short.display[Symbol.dispose]()
	expect(short.text).toBe('')
	const long = displayOf('auto')
	for (let now = 0; now <= 21_000; now += 50) long.send(now, at(now, now, 42_000))
	long.display[Symbol.dispose]()
	const lines = long.text.trim().split('\n')
	expect(lines).toHaveLength(5)
	expect(lines.at(-1)).toMatch(/50%/)
})

test('progress as JSON is one versioned object a line, ends at 100 %, and holds warnings too', () => {
	const shown = displayOf('json')
	shown.send(0, { type: 'phase', name: 'data', text: 'reading' })
	shown.send(600, at(600, 300))
	shown.send(700, { type: 'warning', message: 'mind the gap', path: 'a\nb' })
	shown.send(1200, at(1200, 600))
	shown.display.complete()
	const lines = shown.text
		.trim()
		.split('\n')
		.map((line) => JSON.parse(line) as Record<string, unknown>)
	expect(lines.map(({ type }) => type)).toEqual(['phase', 'progress', 'warning', 'progress', 'progress'])
	expect(lines.every(({ ydbackup }) => ydbackup === 1)).toBe(true)
	expect(lines[1]).toMatchObject({ phase: 'data', rows: 30, bytes: 300, storedBytes: 150, percent: 30 })
	expect(lines.at(-1)).toMatchObject({ percent: 100, remainingMs: 0 })
	expect(lines[1]).toHaveProperty('bytesPerSecond')
})

test('quiet shows warnings and nothing else', () => {
	const shown = displayOf('none')
	for (let now = 0; now <= 30_000; now += 500) shown.send(now, at(now, now))
	shown.send(31_000, { type: 'warning', message: 'not in the backup', path: 'a\u001b[2J' })
	shown.display[Symbol.dispose]()
	expect(shown.text).toBe('warning: a\\u001b[2J: not in the backup\n')
})
