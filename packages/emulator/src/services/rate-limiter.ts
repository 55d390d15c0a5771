import { create, fromBinary } from '@bufbuild/protobuf'
import {
	AlterResourceRequestSchema,
	CreateResourceRequestSchema,
	DescribeResourceRequestSchema,
	DescribeResourceResultSchema,
	DropResourceRequestSchema,
	HierarchicalDrrSettingsSchema,
	ListResourcesRequestSchema,
	ListResourcesResultSchema,
	RateLimiterServiceDefinition as RateLimiter,
	type Resource,
	ResourceSchema,
} from '@ydbjs/api/rate-limiter'
import { YdbError } from '../error.ts'
import type { SchemeTree } from '../scheme/tree.ts'
import type { ControlMethods } from './control.ts'
import { success } from './envelope.ts'

/** Texts are guesses; what must hold is YDB's documentation of rate limiting. */
function resourcesOf(tree: SchemeTree, path: string): Map<string, Resource> {
	return tree.contents(path, 'coordination').resources
}

const notFound = (path: string): YdbError => new YdbError('NOT_FOUND', `Resource "${path}" doesn't exist.`)

function given(resource: Resource | undefined): Resource & { type: { case: 'hierarchicalDrr' } } {
	if (!resource || !/^[^/]+(\/[^/]+)*$/.test(resource.resourcePath))
		throw new YdbError('BAD_REQUEST', 'Invalid resource path')
	if (resource.type.case !== 'hierarchicalDrr') throw new YdbError('BAD_REQUEST', 'No resource properties.')
	return resource as Resource & { type: { case: 'hierarchicalDrr' } }
}

/** Rate limiters as objects: nothing is limited by them. */
export const rateLimiterMethods: ControlMethods = {
	[RateLimiter.createResource.path]: {
		changes: true,
		run: (tree, bytes) => {
			const request = fromBinary(CreateResourceRequestSchema, bytes)
			const resources = resourcesOf(tree, request.coordinationNodePath)
			const resource = given(request.resource)
			const { resourcePath: path } = resource
			if (resources.has(path)) throw new YdbError('ALREADY_EXISTS', `Resource "${path}" already exists.`)
			const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')))
			if (parent !== '' && !resources.has(parent))
				throw new YdbError('BAD_REQUEST', `Parent resource "${parent}" doesn't exist.`)
			const settings = resource.type.value
			if (parent === '' && !(settings.maxUnitsPerSecond > 0))
				throw new YdbError('BAD_REQUEST', 'MaxUnitsPerSecond must be set for a root resource.')
			resources.set(path, resource)
			return success()
		},
	},
	[RateLimiter.alterResource.path]: {
		changes: true,
		run: (tree, bytes) => {
			const request = fromBinary(AlterResourceRequestSchema, bytes)
			const resources = resourcesOf(tree, request.coordinationNodePath)
			const resource = given(request.resource)
			const before = resources.get(resource.resourcePath)
			if (!before) throw notFound(resource.resourcePath)
			const changed = Object.entries(resource.type.value).filter(([name, value]) => value && !name.startsWith('$'))
			const value = create(HierarchicalDrrSettingsSchema, {
				...given(before).type.value,
				...Object.fromEntries(changed),
			})
			resources.set(
				resource.resourcePath,
				create(ResourceSchema, { ...before, type: { case: 'hierarchicalDrr', value } }),
			)
			return success()
		},
	},
	[RateLimiter.dropResource.path]: {
		changes: true,
		run: (tree, bytes) => {
			const { coordinationNodePath, resourcePath } = fromBinary(DropResourceRequestSchema, bytes)
			const resources = resourcesOf(tree, coordinationNodePath)
			if ([...resources.keys()].some((path) => path.startsWith(`${resourcePath}/`)))
				throw new YdbError('BAD_REQUEST', `Resource "${resourcePath}" has children.`)
			if (!resources.delete(resourcePath)) throw notFound(resourcePath)
			return success()
		},
	},
	[RateLimiter.listResources.path]: {
		changes: false,
		run: (tree, bytes) => {
			const { coordinationNodePath, resourcePath, recursive } = fromBinary(ListResourcesRequestSchema, bytes)
			const all = [...resourcesOf(tree, coordinationNodePath).keys()].sort()
			if (resourcePath !== '' && !all.includes(resourcePath)) throw notFound(resourcePath)
			const below = resourcePath === '' ? '' : `${resourcePath}/`
			const resourcePaths = all.filter(
				(path) =>
					path === resourcePath || (path.startsWith(below) && (recursive || !path.slice(below.length).includes('/'))),
			)
			return success(ListResourcesResultSchema, create(ListResourcesResultSchema, { resourcePaths }))
		},
	},
	[RateLimiter.describeResource.path]: {
		changes: false,
		run: (tree, bytes) => {
			const { coordinationNodePath, resourcePath } = fromBinary(DescribeResourceRequestSchema, bytes)
			const resource = resourcesOf(tree, coordinationNodePath).get(resourcePath)
			if (!resource) throw notFound(resourcePath)
			return success(DescribeResourceResultSchema, create(DescribeResourceResultSchema, { resource }))
		},
	},
}
