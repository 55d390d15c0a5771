import { Type_PrimitiveTypeId as Id } from '@ydbjs/api/value'

/** Types whose values stand in quotes. Source: native-export, section 2. */
export const TEXTS: ReadonlySet<Id> = new Set([Id.STRING, Id.UTF8, Id.JSON, Id.JSON_DOCUMENT, Id.YSON])
export const NULL: Buffer = Buffer.from('null')
/** More than every decimal: what stands for infinity. */
export const INFINITE: bigint = 10n ** 35n
export const MICRO = 1_000_000n
export const DAY = 86_400n
/** The first three groups of a Uuid are numbers with their low byte first, as they lie in memory on the server. */
export const UUID_ORDER: readonly number[] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15]
