import { create } from '@bufbuild/protobuf'
import { CreateTableRequestSchema } from '@ydbjs/api/table'
import type { Accounts } from '../scheme/accounts.ts'
import { MadeTable } from '../scheme/made-table.ts'
import type { Node, SchemeTree } from '../scheme/tree.ts'
import { type Entry, RowStore } from '../store/row-store.ts'
import { addKeyCell, finishKey, startKey } from '../wire/key.ts'
import { data, optional, toProto, type YqlType } from '../yql/types.ts'
import { type Datum, encode, framed } from '../yql/datum.ts'
import { frameRow } from './bulk-upsert.ts'

interface Shape {
	/** Names and types of the columns, those of the key first. */
	readonly columns: readonly (readonly [name: string, type: string])[]
	/** How many of them are the key. */
	readonly key: number
	rows(accounts: Accounts, tree: SchemeTree): readonly (readonly Datum[])[]
}

const text = (value: string): Buffer => Buffer.from(value)

function* nodesOf(tree: SchemeTree): Generator<readonly [path: string, node: Node]> {
	const open: (readonly [string, Node])[] = [[tree.database, tree.root]]
	for (const [path, node] of open) {
		yield [path, node]
		// What stands below a table has no rights of its own.
		if (!node.table) for (const child of node.children.values()) open.push([`${path}/${child.name}`, child])
	}
}

const permissions = (tree: SchemeTree): (readonly Datum[])[] =>
	[...nodesOf(tree)].flatMap(([path, { grants }]) =>
		[...grants].flatMap(([sid, names]) => [...names].map((name) => [text(path), text(sid), text(name)])),
	)

/** Source of names and columns: YDB's documentation of system views; `PasswordHash` from the native database dump, which reads it. */
const SHAPES: Readonly<Record<string, Shape>> = {
	auth_users: {
		columns: [
			['Sid', 'Utf8'],
			['IsEnabled', 'Bool'],
			['IsLockedOut', 'Bool'],
			['CreatedAt', 'Timestamp'],
			['LastSuccessfulAttemptAt', 'Timestamp'],
			['LastFailedAttemptAt', 'Timestamp'],
			['FailedAttemptCount', 'Uint32'],
			['PasswordHash', 'Utf8'],
		],
		key: 1,
		rows: (accounts) =>
			accounts.all().map(({ name, login, hash }) => [text(name), login, false, null, null, null, 0n, text(hash)]),
	},
	auth_groups: {
		columns: [['Sid', 'Utf8']],
		key: 1,
		rows: ({ groups }) => [...groups.keys()].map((group) => [text(group)]),
	},
	auth_group_members: {
		columns: [
			['GroupSid', 'Utf8'],
			['MemberSid', 'Utf8'],
		],
		key: 2,
		rows: ({ groups }) =>
			[...groups].flatMap(([group, members]) => [...members].map((member) => [text(group), text(member)])),
	},
	auth_owners: {
		columns: [
			['Path', 'Utf8'],
			['Sid', 'Utf8'],
		],
		key: 1,
		rows: (_, tree) => [...nodesOf(tree)].map(([path, { owner }]) => [text(path), text(owner)]),
	},
	auth_permissions: {
		columns: [
			['Path', 'Utf8'],
			['Sid', 'Utf8'],
			['Permission', 'Utf8'],
		],
		key: 3,
		rows: (_, tree) => permissions(tree),
	},
}

class SystemTable extends MadeTable {
	readonly #shape: Shape
	readonly #types: readonly YqlType[]
	readonly #from: () => readonly (readonly Datum[])[]
	#version = 0

	constructor(shape: Shape, from: () => readonly (readonly Datum[])[]) {
		const types = shape.columns.map(([, type]) => optional(data(type)))
		const columns = shape.columns.map(([name], at) => ({ name, type: toProto(types[at]!) }))
		const primaryKey = shape.columns.slice(0, shape.key).map(([name]) => name)
		super(create(CreateTableRequestSchema, { columns, primaryKey }), 0)
		this.#shape = shape
		this.#types = types
		this.#from = from
	}

	override get refusesWrites(): string {
		return 'System views are read only'
	}

	override get refusesStreams(): boolean {
		return true
	}

	protected override made(): RowStore {
		const entries = this.#from().map((row): Entry => {
			const cells = row.map((value, at) => encode(value, this.#types[at]!))
			startKey()
			for (let at = 0; at < this.#shape.key; at++) {
				const { cell, name } = this.columns[at]!
				addKeyCell(cells[at]!, 0, cells[at]!.length, cell, name)
			}
			return { key: finishKey(), row: frameRow(cells.map((cell) => framed(0x62, [cell]))) }
		})
		entries.sort((a, b) => a.key.compare(b.key))
		return RowStore.of(entries, this.#version++)
	}
}

/** Puts the system views of accounts and rights into the tree. */
export function addSystemTables(tree: SchemeTree, accounts: Accounts): void {
	for (const [name, shape] of Object.entries(SHAPES))
		tree.addSystemTable(name, new SystemTable(shape, () => shape.rows(accounts, tree)))
}
