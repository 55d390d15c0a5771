import type { Config } from '@oclif/core/config'
import type { YdbackupCommand } from '../command.ts'

export type CommandClass = (new (argv: string[], config: Config) => YdbackupCommand) & { id: string }

/** Every command by its words, loaded only when it is run: loading all of them costs more than running one. */
export const COMMAND_MODULES: Readonly<Record<string, () => Promise<{ readonly default: CommandClass }>>> = {
	'backup copy': () => import('./backup/copy.ts'),
	'backup create': () => import('./backup/create.ts'),
	'backup delete': () => import('./backup/delete.ts'),
	'backup export': () => import('./backup/export.ts'),
	'backup gc': () => import('./backup/gc.ts'),
	'backup hold': () => import('./backup/hold.ts'),
	'backup list': () => import('./backup/list.ts'),
	'backup prune': () => import('./backup/prune.ts'),
	'backup release': () => import('./backup/release.ts'),
	'backup resume': () => import('./backup/resume.ts'),
	'backup show': () => import('./backup/show.ts'),
	'backup verify': () => import('./backup/verify.ts'),
	'collection backup': () => import('./collection/backup.ts'),
	'collection create': () => import('./collection/create.ts'),
	'collection drop': () => import('./collection/drop.ts'),
	'collection list': () => import('./collection/list.ts'),
	'collection prune': () => import('./collection/prune.ts'),
	'collection restore': () => import('./collection/restore.ts'),
	'collection ship': () => import('./collection/ship.ts'),
	'collection show': () => import('./collection/show.ts'),
	'driver add': () => import('./driver/add.ts'),
	'driver check': () => import('./driver/check.ts'),
	'driver list': () => import('./driver/list.ts'),
	'driver remove': () => import('./driver/remove.ts'),
	'operation cancel': () => import('./operation/cancel.ts'),
	'operation forget': () => import('./operation/forget.ts'),
	'operation list': () => import('./operation/list.ts'),
	'operation show': () => import('./operation/show.ts'),
	'repo init': () => import('./repo/init.ts'),
	'repo show': () => import('./repo/show.ts'),
	restore: () => import('./restore.ts'),
}
