import { rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type Leaf, leafOf } from './leaf.ts'
import { createFile, damaged, frame, type Head, readRecords, sizeOf, syncDirectory, writeAll } from './records.ts'
import type { RowStore } from './row-store.ts'

const LEAVES = 'leaves'
const END = 'end'
const PIECE_BYTES = 4 << 20

/** A change of something else than rows. */
export interface SchemeChange extends Head {
	readonly request: Buffer
}

/** A database at one moment: the changes of its scheme, in order, and the rows of its tables. */
export interface State {
	readonly changes: readonly SchemeChange[]
	readonly tables: ReadonlyMap<string, RowStore>
}

function headOf({ image, count, rowBytes }: Leaf): Buffer {
	const head = Buffer.allocUnsafe(12)
	head.writeUInt32LE(image.length, 0)
	head.writeUInt32LE(count, 4)
	head.writeUInt32LE(rowBytes, 8)
	return head
}

/** Writes a snapshot: there is a file of that name when it is whole and on the disk. Returns its size. */
export async function writeSnapshot(path: string, { changes, tables }: State, signal: AbortSignal): Promise<number> {
	const part = `${path}.part`
	await rm(part, { force: true })
	const file = await createFile(part)
	let size = 0
	const write = async (buffers: Buffer[]): Promise<void> => {
		signal.throwIfAborted()
		size += sizeOf(buffers)
		await writeAll(file, buffers)
	}
	try {
		for (let at = 0; at < changes.length; at += 1000)
			await write(
				changes.slice(at, at + 1000).flatMap(({ method, user, request }) => frame({ method, user }, [request])),
			)
		for (const [table, rows] of tables) {
			let piece: Buffer[] = []
			let bytes = 0
			for (const leaf of rows.leaves) {
				piece.push(headOf(leaf), leaf.image)
				bytes += leaf.image.length
				if (bytes < PIECE_BYTES) continue
				await write(frame({ method: LEAVES, user: table }, piece))
				piece = []
				bytes = 0
			}
			if (bytes > 0) await write(frame({ method: LEAVES, user: table }, piece))
		}
		await write(frame({ method: END, user: '' }, []))
		await file.datasync()
	} catch (error) {
		await file.close()
		await rm(part, { force: true })
		throw error
	}
	await file.close()
	await rename(part, path)
	await syncDirectory(dirname(path))
	return size
}

/** Reads a snapshot that {@link writeSnapshot} wrote. Returns its size. */
export async function readSnapshot(
	path: string,
	onChange: (change: SchemeChange) => Promise<void>,
	onLeaves: (table: string, leaves: Leaf[]) => void,
): Promise<number> {
	let whole = false
	const { end, size } = await readRecords(path, async ({ method, user }, body) => {
		if (method === END) whole = true
		else if (method === LEAVES) onLeaves(user, leavesIn(body))
		// A view would keep the window that it was read in.
		else await onChange({ method, user, request: Buffer.from(body) })
	})
	if (!whole || end !== size) throw damaged(path, 'its end is missing')
	return size
}

function leavesIn(body: Buffer): Leaf[] {
	const leaves: Leaf[] = []
	for (let at = 0; at < body.length;) {
		const length = body.readUInt32LE(at)
		const image = Buffer.allocUnsafeSlow(length)
		body.copy(image, 0, at + 12, at + 12 + length)
		leaves.push(leafOf(image, body.readUInt32LE(at + 4), body.readUInt32LE(at + 8)))
		at += 12 + length
	}
	return leaves
}
