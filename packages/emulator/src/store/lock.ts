import { link, open, readFile, rename, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'

/** When a process began, as the system tells it; empty where it does not tell (it does on Linux). */
async function beginning(pid: number): Promise<string> {
	try {
		const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
		// Field 22, counted behind the command's name, which may hold anything.
		return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
	} catch {
		return ''
	}
}

function exists(pid: number): boolean {
	try {
		process.kill(pid, 0)
		return true
	} catch (error) {
		return (error as NodeJS.ErrnoException).code === 'EPERM'
	}
}

/** Directories that this process holds. */
const held = new Set<string>()

async function isHeld(text: string): Promise<boolean> {
	const [pid, began = ''] = text.trim().split(' ')
	const number = Number(pid)
	if (!Number.isInteger(number) || number <= 0 || !exists(number)) return false
	// A container's processes have the same few numbers at every start.
	if (number === process.pid) return false
	const now = await beginning(number)
	return began === '' || now === '' || began === now
}

/**
 * Makes a directory this process's own until the returned function is called or the process ends, however it does. Processes that cannot see
 * each other (other machines, other containers) are not kept apart.
 */
export async function lock(directory: string): Promise<() => Promise<void>> {
	const place = resolve(directory)
	const path = join(place, 'lock')
	const refusal = (who: string): Error =>
		new Error(`${directory} is in use by ${who}; stop it, or use another data directory`)
	if (held.has(place)) throw refusal('this process')
	held.add(place)
	try {
		for (let attempt = 0; attempt < 5; attempt++) {
			try {
				const file = await open(path, 'wx', 0o600)
				await file.writeFile(`${process.pid} ${await beginning(process.pid)}\n`)
				await file.close()
				return async () => {
					await rm(path, { force: true })
					held.delete(place)
				}
			} catch (error) {
				if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
			}
			const found = await readFile(path, 'utf8').catch(() => '')
			if (await isHeld(found)) throw refusal(`process ${found.split(' ')[0]}`)
			// The holder is gone. Of several that see it, one takes the lock away; who took a newer one by mistake gives it back.
			const aside = `${path}.${process.pid}`
			const taken = await rename(path, aside).then(
				() => readFile(aside, 'utf8'),
				() => found,
			)
			if (taken !== found) await link(aside, path).catch(() => {})
			await rm(aside, { force: true })
		}
		throw refusal('others that start at the same time')
	} catch (error) {
		held.delete(place)
		throw error
	}
}
