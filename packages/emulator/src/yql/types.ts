import { create } from '@bufbuild/protobuf'
import { type Type, TypeSchema } from '@ydbjs/api/value'
import { YdbError } from '../error.ts'
import { type ColumnType, columnType, typeNamed } from '../wire/column-type.ts'

export interface Member {
	readonly name: string
	readonly type: YqlType
}

export type YqlType =
	| { readonly kind: 'data'; readonly data: ColumnType }
	| { readonly kind: 'optional'; readonly item: YqlType }
	| { readonly kind: 'list'; readonly item: YqlType }
	| { readonly kind: 'tuple'; readonly items: readonly YqlType[] }
	| { readonly kind: 'struct'; readonly members: readonly Member[] }
	/** The type of NULL. */
	| { readonly kind: 'null' }
	/** The type of `[]`. */
	| { readonly kind: 'emptyList' }

export function data(name: string): YqlType {
	return { kind: 'data', data: typeNamed(name)! }
}

export const BOOL: YqlType = data('Bool')
export const UINT64: YqlType = data('Uint64')
export const UTF8: YqlType = data('Utf8')
export const STRING: YqlType = data('String')
export const NULL: YqlType = { kind: 'null' }

export function optional(item: YqlType): YqlType {
	return item.kind === 'optional' || item.kind === 'null' ? item : { kind: 'optional', item }
}

/** Without the Optional around it. */
export function bare(type: YqlType): YqlType {
	return type.kind === 'optional' ? type.item : type
}

export function mayBeNull(type: YqlType): boolean {
	return type.kind === 'optional' || type.kind === 'null'
}

/** As YDB's messages write it. */
export function typeName(type: YqlType): string {
	switch (type.kind) {
		case 'data':
			return type.data.name
		case 'optional':
			return `Optional<${typeName(type.item)}>`
		case 'list':
			return `List<${typeName(type.item)}>`
		case 'tuple':
			return `Tuple<${type.items.map(typeName).join(',')}>`
		case 'struct':
			return `Struct<${type.members.map((member) => `'${member.name}':${typeName(member.type)}`).join(',')}>`
		case 'null':
			return 'Null'
		case 'emptyList':
			return 'EmptyList'
	}
}

export function sameTypes(a: YqlType, b: YqlType): boolean {
	return typeName(a) === typeName(b)
}

export function fromProto(type: Type | undefined): YqlType {
	if (!type?.type.case) throw new YdbError('BAD_REQUEST', 'a value has no type')
	switch (type.type.case) {
		case 'optionalType': {
			const item = fromProto(type.type.value.item)
			if (mayBeNull(item)) throw new YdbError('UNSUPPORTED', 'an Optional of an Optional is not emulated')
			return { kind: 'optional', item }
		}
		case 'listType':
			return { kind: 'list', item: fromProto(type.type.value.item) }
		case 'tupleType':
			return { kind: 'tuple', items: type.type.value.elements.map(fromProto) }
		case 'structType':
			return {
				kind: 'struct',
				members: type.type.value.members.map((member) => ({ name: member.name, type: fromProto(member.type) })),
			}
		case 'nullType':
		case 'voidType':
			return NULL
		case 'emptyListType':
			return { kind: 'emptyList' }
		case 'typeId':
		case 'decimalType':
			return { kind: 'data', data: columnType(type) }
		default:
			throw new YdbError('UNSUPPORTED', `parameters of a ${type.type.case} are not emulated`)
	}
}

export function toProto(type: YqlType): Type {
	switch (type.kind) {
		case 'data':
			return type.data.bare
		case 'optional':
			return create(TypeSchema, { type: { case: 'optionalType', value: { item: toProto(type.item) } } })
		case 'list':
			return create(TypeSchema, { type: { case: 'listType', value: { item: toProto(type.item) } } })
		case 'tuple':
			return create(TypeSchema, { type: { case: 'tupleType', value: { elements: type.items.map(toProto) } } })
		case 'struct':
			return create(TypeSchema, {
				type: {
					case: 'structType',
					value: { members: type.members.map((member) => ({ name: member.name, type: toProto(member.type) })) },
				},
			})
		case 'null':
			return create(TypeSchema, { type: { case: 'nullType', value: 0 } })
		case 'emptyList':
			return create(TypeSchema, { type: { case: 'emptyListType', value: 0 } })
	}
}
