/**
 * Cuts a stream of pieces into files: a file that has become longer than `bytes` is ended, and the next one begins with the next piece.
 * There is always one file, and none behind the last piece. Each file must be read to its end before the next one is asked for.
 */
export async function* rollOver(
	pieces: AsyncIterable<Uint8Array>,
	bytes: number,
): AsyncGenerator<AsyncIterable<Uint8Array>, void, undefined> {
	const iterator = pieces[Symbol.asyncIterator]()
	let next = await iterator.next()

	async function* file(): AsyncGenerator<Uint8Array, void, undefined> {
		for (let size = 0; next.done !== true && size <= bytes;) {
			const piece = next.value
			size += piece.length
			yield piece
			next = await iterator.next()
		}
	}

	try {
		do yield file()
		while (next.done !== true)
	} finally {
		await iterator.return?.()
	}
}
