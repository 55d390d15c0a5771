import {
	clone,
	create,
	createFileRegistry,
	type DescMessage,
	fromBinary,
	type Message,
	type MessageShape,
	toBinary,
} from '@bufbuild/protobuf'
import {
	type DescriptorProto,
	DescriptorProtoSchema,
	file_google_protobuf_empty,
	file_google_protobuf_struct,
	FileDescriptorProtoSchema,
	FileDescriptorSetSchema,
} from '@bufbuild/protobuf/wkt'
import { CreateTableRequestSchema } from '@ydbjs/api/table'
import type { ProtoText } from '@ydbackup/core'
import { YDB_TABLE_NEWER } from '../gen/ydb_table_newer.ts'
import { fromProtoText, toProtoText } from './message-text.ts'

/** Adds to a message what a newer server's has: fields by their oneofs, and messages and enums that lie in it. */
function extend(known: DescriptorProto, newer: DescriptorProto): void {
	const oneofs = newer.oneofDecl.map(({ name }) => {
		const at = known.oneofDecl.findIndex((each) => each.name === name)
		return at < 0 ? known.oneofDecl.push(newer.oneofDecl.find((each) => each.name === name)!) - 1 : at
	})
	const numbers = new Set(known.field.map(({ number }) => number))
	for (const field of newer.field) {
		if (numbers.has(field.number)) continue
		const added = clone(DescriptorProtoSchema, create(DescriptorProtoSchema, { field: [field] })).field[0]!
		if (Object.hasOwn(field, 'oneofIndex')) added.oneofIndex = oneofs[field.oneofIndex]!
		known.field.push(added)
	}
	extendAll(known.nestedType, newer.nestedType)
	for (const one of newer.enumType) if (!known.enumType.some(({ name }) => name === one.name)) known.enumType.push(one)
}

function extendAll(known: DescriptorProto[], newer: readonly DescriptorProto[]): void {
	for (const message of newer) {
		const found = known.find(({ name }) => name === message.name)
		if (found) extend(found, message)
		else known.push(message)
	}
}

/** The file of tables as the client package has it, and what came later. */
function tables(): (name: string) => DescMessage | undefined {
	const known = CreateTableRequestSchema.file
	const file = clone(FileDescriptorProtoSchema, known.proto)
	const [newer] = fromBinary(FileDescriptorSetSchema, Buffer.from(YDB_TABLE_NEWER, 'base64')).file
	extendAll(file.messageType, newer!.messageType)
	file.dependency.push(...newer!.dependency.filter((name) => !file.dependency.includes(name)))
	const needed = [...known.dependencies, file_google_protobuf_empty, file_google_protobuf_struct]
	const registry = createFileRegistry(file, (name) => needed.find(({ proto }) => proto.name === name))
	return (name) => registry.getMessage(name)
}

const newestOf = tables()

/** A message with all fields that this version knows of, those too that the client package was generated without. */
export function newest(desc: DescMessage): DescMessage {
	return newestOf(desc.typeName) ?? desc
}

/** A tree with its fields in the order of their numbers, as C++ prints them. Errors: `FORMAT_INVALID` naming message and field. */
export function inOrder(desc: DescMessage, tree: ProtoText): ProtoText {
	const whole = newest(desc)
	return toProtoText(whole, fromProtoText(whole, tree))
}

/** As {@link toProtoText}, with the names of newer fields. */
export function treeOf(desc: DescMessage, message: Message): ProtoText {
	const whole = newest(desc)
	return toProtoText(whole, whole === desc ? message : fromBinary(whole, toBinary(desc, message)))
}

/** The message of a tree of {@link treeOf}, as the client package sends it. Errors: `FORMAT_INVALID` naming message and field. */
export function messageOf<D extends DescMessage>(desc: D, tree: ProtoText): MessageShape<D> {
	const whole = newest(desc)
	const message = fromProtoText(whole, tree)
	return (whole === desc ? message : fromBinary(desc, toBinary(whole, message))) as MessageShape<D>
}
