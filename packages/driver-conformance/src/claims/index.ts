import type { Claim } from '../claim.ts'
import { atomicityClaims } from './atomicity.ts'
import { conditionalCreateClaims } from './conditional-create.ts'
import { consistencyClaims } from './consistency.ts'
import { contractClaims } from './contract.ts'
import { faultClaims } from './faults.ts'
import { goldenClaims } from './golden.ts'
import { integrityClaims } from './integrity.ts'
import { keyClaims } from './keys.ts'
import { listClaims } from './list.ts'
import { permissionClaims } from './permissions.ts'
import { rangeClaims } from './range.ts'
import { resourceClaims } from './resources.ts'
import { retentionClaims } from './retention.ts'

/** Every claim, in the order of the groups; the secrets come last, because they are looked for in all errors before. */
export const CLAIMS: readonly Claim[] = [
	...contractClaims,
	...keyClaims,
	...listClaims,
	...rangeClaims,
	...atomicityClaims,
	...conditionalCreateClaims,
	...consistencyClaims,
	...integrityClaims,
	...goldenClaims,
	...faultClaims,
	...retentionClaims,
	...resourceClaims,
	...permissionClaims,
]
