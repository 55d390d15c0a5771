import BackupCopy from './backup/copy.ts'
import BackupCreate from './backup/create.ts'
import BackupDelete from './backup/delete.ts'
import BackupExport from './backup/export.ts'
import BackupGc from './backup/gc.ts'
import BackupHold from './backup/hold.ts'
import BackupList from './backup/list.ts'
import BackupPrune from './backup/prune.ts'
import BackupRelease from './backup/release.ts'
import BackupResume from './backup/resume.ts'
import BackupShow from './backup/show.ts'
import BackupVerify from './backup/verify.ts'
import CollectionBackup from './collection/backup.ts'
import CollectionCreate from './collection/create.ts'
import CollectionDrop from './collection/drop.ts'
import CollectionList from './collection/list.ts'
import CollectionPrune from './collection/prune.ts'
import CollectionRestore from './collection/restore.ts'
import CollectionShip from './collection/ship.ts'
import CollectionShow from './collection/show.ts'
import DriverAdd from './driver/add.ts'
import DriverCheck from './driver/check.ts'
import DriverList from './driver/list.ts'
import DriverRemove from './driver/remove.ts'
import OperationCancel from './operation/cancel.ts'
import OperationForget from './operation/forget.ts'
import OperationList from './operation/list.ts'
import OperationShow from './operation/show.ts'
import RepoInit from './repo/init.ts'
import RepoShow from './repo/show.ts'
import Restore from './restore.ts'

/** What oclif reads for help and for its manifest. */
export const COMMANDS = {
	'backup:copy': BackupCopy,
	'backup:create': BackupCreate,
	'backup:delete': BackupDelete,
	'backup:export': BackupExport,
	'backup:gc': BackupGc,
	'backup:hold': BackupHold,
	'backup:list': BackupList,
	'backup:prune': BackupPrune,
	'backup:release': BackupRelease,
	'backup:resume': BackupResume,
	'backup:show': BackupShow,
	'backup:verify': BackupVerify,
	'collection:backup': CollectionBackup,
	'collection:create': CollectionCreate,
	'collection:drop': CollectionDrop,
	'collection:list': CollectionList,
	'collection:prune': CollectionPrune,
	'collection:restore': CollectionRestore,
	'collection:ship': CollectionShip,
	'collection:show': CollectionShow,
	'driver:add': DriverAdd,
	'driver:check': DriverCheck,
	'driver:list': DriverList,
	'driver:remove': DriverRemove,
	'operation:cancel': OperationCancel,
	'operation:forget': OperationForget,
	'operation:list': OperationList,
	'operation:show': OperationShow,
	'repo:init': RepoInit,
	'repo:show': RepoShow,
	restore: Restore,
}
