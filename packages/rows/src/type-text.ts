import {
	BackupError,
	messageField,
	PRIMITIVE_TYPES,
	type PrimitiveName,
	protoField,
	protoMessage,
	protoString,
	type ProtoText,
	scalarField,
	textField,
	type YdbType,
} from '@ydbackup/core'

const BY_SPELLING = new Map<string, PrimitiveName>()
for (const [name, { id, proto }] of Object.entries(PRIMITIVE_TYPES)) {
	BY_SPELLING.set(proto, name as PrimitiveName)
	BY_SPELLING.set(String(id), name as PrimitiveName)
}

const DEEPEST = 8

/** The type that a `Ydb.Type` tree describes. Anything that this version cannot carry comes back as `unknown`, never as an error. */
export function typeFromText(tree: ProtoText): YdbType {
	return readType(tree, 0)
}

function readType(tree: ProtoText, depth: number): YdbType {
	const id = protoField(tree, 'type_id')
	if (id?.kind === 'scalar') {
		const name = BY_SPELLING.get(id.text)
		return name === undefined ? { kind: 'unknown', spelling: id.text } : { kind: 'primitive', name }
	}
	if (protoField(tree, 'optional_type') !== undefined && depth < DEEPEST) {
		return { kind: 'optional', item: readType(protoMessage(protoMessage(tree, 'optional_type'), 'item'), depth + 1) }
	}
	if (protoField(tree, 'decimal_type') !== undefined) {
		const decimal = protoMessage(tree, 'decimal_type')
		const precision = readNumber(decimal, 'precision')
		const scale = readNumber(decimal, 'scale')
		if (precision < 1 || precision > 35 || scale < 0 || scale > precision) {
			return { kind: 'unknown', spelling: `Decimal(${precision},${scale})` }
		}
		return { kind: 'decimal', precision, scale }
	}
	if (protoField(tree, 'pg_type') !== undefined) {
		const pg = protoMessage(tree, 'pg_type')
		return {
			kind: 'pg',
			name: protoString(pg, 'type_name') ?? '',
			oid: readNumber(pg, 'oid'),
			modifier: protoString(pg, 'type_modifier') ?? '',
		}
	}
	return { kind: 'unknown', spelling: tree[0]?.name ?? 'nothing' }
}

function readNumber(tree: ProtoText, name: string): number {
	const value = protoField(tree, name)
	const number = value?.kind === 'scalar' ? Number(value.text) : 0
	return Number.isSafeInteger(number) ? number : -1
}

/** The `Ydb.Type` tree of a type, fields as the C++ printer spells them. Throws `TYPE_UNKNOWN` for an unknown type. */
export function typeToText(type: YdbType): ProtoText {
	switch (type.kind) {
		case 'primitive':
			return [scalarField('type_id', PRIMITIVE_TYPES[type.name].proto)]
		case 'decimal':
			return [
				messageField('decimal_type', [
					scalarField('precision', String(type.precision)),
					...(type.scale === 0 ? [] : [scalarField('scale', String(type.scale))]),
				]),
			]
		case 'pg':
			return [
				messageField('pg_type', [
					scalarField('oid', String(type.oid)),
					textField('type_name', type.name),
					...(type.modifier === '' ? [] : [textField('type_modifier', type.modifier)]),
				]),
			]
		case 'optional':
			return [messageField('optional_type', [messageField('item', typeToText(type.item))])]
		case 'unknown':
			throw new BackupError('TYPE_UNKNOWN', `type ${type.spelling} is not known to this version`, {
				advice: 'use a newer version of ydbackup',
			})
	}
}
