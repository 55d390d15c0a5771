import { abortFlaws } from './broken/abort.ts'
import { capabilityFlaws } from './broken/capability.ts'
import { areCaught } from './broken/catching.ts'
import { deleteFlaws } from './broken/delete.ts'
import { errorFlaws } from './broken/errors.ts'
import { keyFlaws } from './broken/keys.ts'
import { listFlaws } from './broken/list.ts'

areCaught(listFlaws, [0, 1, 1001])
areCaught([...keyFlaws, ...deleteFlaws, ...abortFlaws, ...errorFlaws, ...capabilityFlaws])
