import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

/** A process, as far as another one can tell it. */
export interface Owner {
	readonly host: string
	readonly pid: number
	/** Names the boot and the space of process numbers: only within the same one a number says whether its process lives. */
	readonly scope?: string | undefined
}

/** This process. */
export function thisOwner(): Owner {
	const scope = scopeOfProcesses()
	return { host: hostname(), pid: process.pid, ...(scope === undefined ? {} : { scope }) }
}

/**
 * Whether a process is known to have ended. Nothing is known of other machines, other boots, other containers, and of systems without
 * `/proc`; there only time tells.
 */
export function isKnownDead({ host, pid, scope }: Owner): boolean {
	if (scope === undefined || scope !== scopeOfProcesses() || host !== hostname()) return false
	if (!Number.isSafeInteger(pid) || pid <= 0) return false
	try {
		process.kill(pid, 0)
		return false
	} catch (error) {
		return (error as NodeJS.ErrnoException).code === 'ESRCH'
	}
}

function scopeOfProcesses(): string | undefined {
	try {
		const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
		return `${boot} ${readlinkSync('/proc/self/ns/pid')}`
	} catch {
		return undefined
	}
}
