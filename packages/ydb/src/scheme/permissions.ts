import { create } from '@bufbuild/protobuf'
import { type Entry, ModifyPermissionsRequestSchema, PermissionsActionSchema } from '@ydbjs/api/scheme'
import type { ProtoText } from '@ydbackup/core'
import { toProtoText } from '../proto/message-text.ts'

/** Owner and explicit grants as YDB's own backups write them: `change_owner` first, then one `grant` per entry. */
export function permissionsOf({ owner, permissions }: Entry): ProtoText {
	const actions = permissions.map((value) => create(PermissionsActionSchema, { action: { case: 'grant', value } }))
	if (owner !== '') actions.unshift(create(PermissionsActionSchema, { action: { case: 'changeOwner', value: owner } }))
	return toProtoText(ModifyPermissionsRequestSchema, create(ModifyPermissionsRequestSchema, { actions }))
}
