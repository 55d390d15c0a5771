import { protoField, protoString, type ProtoText } from '@ydbackup/core'

export interface PermissionPhases {
	/** Given at once, so that nothing stands open meanwhile. Empty when there is nothing to give. */
	readonly grants: ProtoText
	/** Given at the very end: whoever restores may lose his own rights by it. Empty when there is none. */
	readonly owner: ProtoText
	/** Whether the object shuts out what its directory allows. Without that it would stand open. */
	readonly isClosed: boolean
}

/** Splits a `ModifyPermissionsRequest` by the time at which its parts are applied. */
export function splitPermissions(permissions: ProtoText): PermissionPhases {
	const isOwner = (field: ProtoText[number]): boolean =>
		field.name === 'actions' &&
		field.value.kind === 'message' &&
		protoField(field.value.fields, 'change_owner') !== undefined
	return {
		grants: permissions.filter((field) => !isOwner(field)),
		owner: permissions.filter(isOwner),
		isClosed: protoString(permissions, 'interrupt_inheritance') === 'true',
	}
}
