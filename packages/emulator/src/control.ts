import type { Nodes } from './nodes.ts'
import type { SchemeTree } from './scheme/tree.ts'
import { merge, split } from './services/partitions.ts'
import type { Sessions } from './services/sessions.ts'

/** Things that happen to a cluster, at the moment in which they are asked for. */
export interface Control {
	/** Makes two partitions of one (counted from 0). False when it has less than two rows. */
	split(path: string, partition?: number): boolean
	/** Makes one partition of this and the next. False when there is no next. */
	merge(path: string, partition?: number): boolean
	/** Partitions of a table. */
	partitions(path: string): number
	/** Ids and ports of the nodes that run. */
	nodes(): readonly { readonly id: number; readonly port: number }[]
	/** The node breaks its connections, loses its sessions, listens no more, and discovery tells of it no more. */
	stopNode(id: number): Promise<void>
	/** The node is back where it was. */
	startNode(id: number): Promise<void>
	/** Stops a node and starts it after that many milliseconds. */
	restartNode(id: number, downMs?: number): Promise<void>
	/** Ends all sessions. */
	closeSessions(): void
}

export function controlOf(tree: SchemeTree, nodes: Nodes, sessions: Sessions): Control {
	return {
		split: (path, partition = 0) => split(tree.table(path), partition),
		merge: (path, partition = 0) => merge(tree.table(path), partition),
		partitions: (path) => tree.table(path).splits.length + 1,
		nodes: () => nodes.running().map(({ id, port }) => ({ id, port })),
		stopNode: (id) => nodes.stop(id),
		startNode: (id) => nodes.start(id),
		restartNode: (id, downMs = 50) => nodes.restart(id, downMs),
		closeSessions: () => sessions.endAll(),
	}
}
