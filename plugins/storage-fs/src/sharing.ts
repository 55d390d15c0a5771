/**
 * Work on a path that calls at the same time share. Who asks while it is done shares the next time with all who ask until that
 * begins: what is under way may have missed what this caller knows of.
 */
export function sharing<T>(work: (path: string) => Promise<T>): (path: string) => Promise<T> {
	const running = new Map<string, Promise<T>>()
	const next = new Map<string, Promise<T>>()
	function begin(path: string): Promise<T> {
		next.delete(path)
		const begun = work(path).finally(() => running.delete(path))
		running.set(path, begun)
		return begun
	}
	return (path) => {
		const before = running.get(path)
		if (before === undefined) return begin(path)
		// How the one before ended is told to those who asked for it.
		const after =
			next.get(path) ??
			before.then(
				() => begin(path),
				() => begin(path),
			)
		next.set(path, after)
		return after
	}
}
