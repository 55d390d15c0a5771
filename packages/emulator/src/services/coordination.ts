import { create, fromBinary } from '@bufbuild/protobuf'
import {
	AlterNodeRequestSchema,
	ConfigSchema,
	CoordinationServiceDefinition as Coordination,
	CreateNodeRequestSchema,
	DescribeNodeRequestSchema,
	DescribeNodeResultSchema,
	DropNodeRequestSchema,
} from '@ydbjs/api/coordination'
import { YdbError } from '../error.ts'
import { coordinationOf } from '../scheme/objects.ts'
import type { ControlMethods } from './control.ts'
import { success } from './envelope.ts'
import { entryOf } from './scheme.ts'

/** Coordination nodes as objects: sessions and semaphores are not emulated. */
export const coordinationMethods: ControlMethods = {
	[Coordination.createNode.path]: {
		changes: true,
		run: (tree, bytes, user) => {
			const { path, config } = fromBinary(CreateNodeRequestSchema, bytes)
			if (tree.find(path)?.kind === 'coordination')
				throw new YdbError('ALREADY_EXISTS', `Check failed: path: '${path}', error: path exist`, 2003)
			tree.addObject(path, 'coordination', coordinationOf(config), user)
			return success()
		},
	},
	[Coordination.alterNode.path]: {
		changes: true,
		run: (tree, bytes) => {
			const { path, config } = fromBinary(AlterNodeRequestSchema, bytes)
			const node = tree.contents(path, 'coordination')
			const given = Object.entries(config ?? {}).filter(
				([name, value]) => value && !name.startsWith('$') && name !== 'path',
			)
			node.config = create(ConfigSchema, { ...node.config, ...Object.fromEntries(given) })
			return success()
		},
	},
	[Coordination.dropNode.path]: {
		changes: true,
		run: (tree, bytes) => {
			tree.remove(fromBinary(DropNodeRequestSchema, bytes).path, 'coordination')
			return success()
		},
	},
	[Coordination.describeNode.path]: {
		changes: false,
		run: (tree, bytes) => {
			const { path } = fromBinary(DescribeNodeRequestSchema, bytes)
			const { config } = tree.contents(path, 'coordination')
			const self = entryOf(tree, path, tree.get(path))
			return success(DescribeNodeResultSchema, create(DescribeNodeResultSchema, { self, config }))
		},
	},
}
