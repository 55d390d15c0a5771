import type { Operation } from '@ydbjs/api/operation'
import type { SchemeTree } from '../scheme/tree.ts'

/** Unary methods about objects of the tree, by their paths in gRPC. */
export type ControlMethods = Readonly<
	Record<
		string,
		{
			/** Whether it changes something: it is kept then. */
			readonly changes: boolean
			readonly run: (tree: SchemeTree, request: Buffer, user: string) => Operation
		}
	>
>
