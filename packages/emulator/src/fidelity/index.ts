import type { Fact } from './fact.ts'
import { EXPORTS } from './exports.ts'
import { OBJECTS } from './objects.ts'
import { QUERIES } from './queries.ts'
import { SERVER } from './server.ts'

/** What is faithful, what is not, and what nobody knows. Refusals, issue codes and limits stand in tables of their own. */
export const FIDELITY: readonly Fact[] = [...QUERIES, ...OBJECTS, ...SERVER, ...EXPORTS]
