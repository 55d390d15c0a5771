/**
 * Maps a stream, a few items ahead of the reader and in order: `map` runs on up to `depth` items while the reader is busy with an
 * earlier one. Pulls no more than that, so memory is bounded by `depth` items. When the reader leaves or anything throws, the
 * stream is closed before this settles.
 */
export async function* ahead<T, U>(
	stream: AsyncIterable<T>,
	depth: number,
	map: (item: T) => Promise<U> | U,
): AsyncGenerator<U, void, undefined> {
	type Slot = { readonly value: Promise<U> } | { readonly end: true } | { readonly error: unknown }
	const slots: Slot[] = []
	let stopped = false
	let wakeReader: (() => void) | undefined
	let wakePump: (() => void) | undefined

	function add(slot: Slot): void {
		slots.push(slot)
		wakeReader?.()
	}

	async function pump(): Promise<void> {
		try {
			for await (const item of stream) {
				if (stopped) return
				const value = Promise.resolve(map(item))
				// The reader awaits it later; until then a rejection must not count as unhandled.
				value.catch(() => undefined)
				add({ value })
				while (slots.length >= depth) {
					if (stopped) return
					await new Promise<void>((resolve) => {
						wakePump = resolve
					})
				}
				if (stopped) return
			}
			add({ end: true })
		} catch (error) {
			add({ error })
		}
	}

	const pumping = pump()
	try {
		for (;;) {
			const slot = slots[0]
			if (slot === undefined) {
				await new Promise<void>((resolve) => {
					wakeReader = resolve
				})
				continue
			}
			if ('end' in slot) return
			if ('error' in slot) throw slot.error
			const value = await slot.value
			slots.shift()
			wakePump?.()
			yield value
		}
	} finally {
		stopped = true
		wakePump?.()
		await pumping
	}
}
