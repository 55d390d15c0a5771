import * as fs from 'node:fs'
import { dirname } from 'node:path'
import type { Duplex } from 'node:stream'
import { bytesOf, int, long, packets, Reader } from './packets.ts'

export const EXTENSIONS = [
	'posix-rename@openssh.com',
	'statvfs@openssh.com',
	'hardlink@openssh.com',
	'fsync@openssh.com',
] as const

export interface SubsystemOptions {
	/** Every change is refused, as `sftp-server -R` does. */
	readonly isReadOnly?: boolean
	/** All by default. */
	readonly extensions?: readonly string[]
	/** How many bytes may be written in all. */
	readonly room?: number
	/** A plain rename replaces what has the name, as on some servers; OpenSSH refuses. */
	readonly renameReplaces?: boolean
	/** Hard links replace too: no server should. */
	readonly linkReplaces?: boolean
}

const [OK, EOF, NO_SUCH_FILE, PERMISSION_DENIED, FAILURE, BAD_MESSAGE, OP_UNSUPPORTED] = [0, 1, 2, 3, 4, 5, 8] as const
/** As in `errno_to_portable` of OpenSSH's sftp-server: what is not here is a failure without a reason. */
const STATUS: Readonly<Record<string, number>> = {
	ENOENT: NO_SUCH_FILE,
	EBADF: NO_SUCH_FILE,
	ELOOP: NO_SUCH_FILE,
	EPERM: PERMISSION_DENIED,
	EACCES: PERMISSION_DENIED,
	EFAULT: PERMISSION_DENIED,
	ENAMETOOLONG: BAD_MESSAGE,
	EINVAL: BAD_MESSAGE,
	ENOSYS: OP_UNSUPPORTED,
}
const CHANGES: ReadonlySet<number> = new Set([6, 9, 10, 13, 14, 15, 18, 20])
const failed = (code: string): Error => Object.assign(new Error(code), { code })

function attributesOf(found: fs.Stats): Buffer {
	const { size, uid, gid, mode, atimeMs, mtimeMs } = found
	return Buffer.concat([
		int(0xf),
		long(size),
		int(uid),
		int(gid),
		int(mode),
		int(Math.floor(atimeMs / 1000)),
		int(Math.floor(mtimeMs / 1000)),
	])
}

type Answer = readonly [type: number, ...fields: Buffer[]]
type Open = { readonly descriptor: number } | { names: string[]; readonly path: string }

/** A server of SFTP version 3 with what OpenSSH does: one request after the other, its statuses, its rename, four of its extensions. */
export function serveFiles(stream: Duplex, options: SubsystemOptions = {}): void {
	const { isReadOnly = false, extensions = EXTENSIONS, renameReplaces = false, linkReplaces = false } = options
	const handles = new Map<string, Open>()
	let room = options.room ?? Infinity
	let next = 0

	const status = (code: number): Answer => [101, int(code), bytesOf(''), bytesOf('')]
	const handleOf = (open: Open): Answer => {
		handles.set(String(next), open)
		return [102, bytesOf(String(next++))]
	}
	const attributes = (found: fs.Stats): Answer => [105, attributesOf(found)]
	const opened = (handle: string): Open => {
		const open = handles.get(handle)
		if (!open) throw failed('EBADF')
		return open
	}
	const descriptorOf = (handle: string): number => {
		const open = opened(handle)
		if (!('descriptor' in open)) throw failed('EBADF')
		return open.descriptor
	}
	const done = (_work: unknown): Answer => status(OK)

	const requests: Readonly<Record<number, (it: Reader) => Answer>> = {
		3(it) {
			const [path, flags] = [it.text(), it.int()]
			const attributeFlags = it.int()
			if (isReadOnly && flags !== 1) throw failed('EACCES')
			const mode = attributeFlags === 4 ? it.int() : 0o666
			const access = [0, fs.constants.O_RDONLY, fs.constants.O_WRONLY, fs.constants.O_RDWR][flags & 3]!
			const more = [
				[8, fs.constants.O_CREAT],
				[16, fs.constants.O_TRUNC],
				[32, fs.constants.O_EXCL],
			] as const
			const all = more.reduce((sum, [bit, flag]) => (flags & bit ? sum | flag : sum), access)
			return handleOf({ descriptor: fs.openSync(path, all, mode) })
		},
		4(it) {
			const handle = it.text()
			const open = opened(handle)
			handles.delete(handle)
			if ('descriptor' in open) fs.closeSync(open.descriptor)
			return status(OK)
		},
		5(it) {
			const [handle, position, length] = [it.text(), it.long(), it.int()]
			const bytes = Buffer.alloc(Math.min(length, 256 * 1024))
			const read = fs.readSync(descriptorOf(handle), bytes, 0, bytes.length, position)
			return read === 0 ? status(EOF) : [103, bytesOf(bytes.subarray(0, read))]
		},
		6(it) {
			const [handle, position, bytes] = [it.text(), it.long(), it.bytes()]
			room -= bytes.length
			if (room < 0) throw failed('ENOSPC')
			return done(fs.writeSync(descriptorOf(handle), bytes, 0, bytes.length, position))
		},
		7: (it) => attributes(fs.lstatSync(it.text())),
		8: (it) => attributes(fs.fstatSync(descriptorOf(it.text()))),
		11(it) {
			const path = it.text()
			return handleOf({ path, names: ['.', '..', ...fs.readdirSync(path)] })
		},
		12(it) {
			const open = opened(it.text())
			if (!('names' in open)) throw failed('EBADF')
			const names = open.names.splice(0, 100)
			if (names.length === 0) return status(EOF)
			const entries = names.flatMap((name) => {
				const found = fs.lstatSync(`${open.path}/${name}`, { throwIfNoEntry: false })
				return found ? [Buffer.concat([bytesOf(name), bytesOf(name), attributesOf(found)])] : []
			})
			return [104, int(entries.length), ...entries]
		},
		13: (it) => done(fs.unlinkSync(it.text())),
		14: (it) => done(fs.mkdirSync(it.text(), { mode: 0o700 })),
		15: (it) => done(fs.rmdirSync(it.text())),
		16(it) {
			const path = fs.realpathSync(it.text())
			return [104, int(1), bytesOf(path), bytesOf(path), int(0)]
		},
		17: (it) => attributes(fs.statSync(it.text())),
		18(it) {
			const [from, to] = [it.text(), it.text()]
			if (renameReplaces) return done(fs.renameSync(from, to))
			// As OpenSSH does it: atomic where there are hard links.
			fs.linkSync(from, to)
			return done(fs.unlinkSync(from))
		},
		200(it) {
			const name = it.text()
			if (!extensions.includes(name)) return status(OP_UNSUPPORTED)
			if (name === 'fsync@openssh.com') return done(fs.fsyncSync(descriptorOf(it.text())))
			if (name === 'statvfs@openssh.com') {
				const { bsize, blocks, bfree, bavail, files, ffree } = fs.statfsSync(dirname(it.text()))
				const left = room === Infinity ? bavail : 0
				return [201, ...[bsize, bsize, blocks, bfree, left, files, ffree, ffree, 0, 0, 255].map(long)]
			}
			if (isReadOnly) throw failed('EACCES')
			const [from, to] = [it.text(), it.text()]
			if (name === 'posix-rename@openssh.com') return done(fs.renameSync(from, to))
			if (linkReplaces) fs.rmSync(to, { force: true })
			return done(fs.linkSync(from, to))
		},
	}

	const answer = ([type, ...fields]: Answer, id: Buffer): void => {
		const body = Buffer.concat([Buffer.of(type), id, ...fields])
		stream.write(Buffer.concat([int(body.length), body]))
	}
	const onPacket = (packet: Buffer): void => {
		const it = new Reader(packet)
		const type = it.byte()
		if (type === 1) return answer([2, ...extensions.flatMap((name) => [bytesOf(name), bytesOf('1')])], int(3))
		const id = int(it.int())
		try {
			if (isReadOnly && CHANGES.has(type)) throw failed('EACCES')
			answer(requests[type]?.(it) ?? status(OP_UNSUPPORTED), id)
		} catch (error) {
			answer(status(STATUS[(error as NodeJS.ErrnoException).code ?? ''] ?? FAILURE), id)
		}
	}
	stream.on('data', packets(onPacket)).on('close', () => {
		for (const open of handles.values()) if ('descriptor' in open) fs.closeSync(open.descriptor)
		handles.clear()
	})
}
