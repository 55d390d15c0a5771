export { checked, checkWhole, type Declared } from './declared.ts'
export { nearestOf } from './nearest.ts'
export { orAborted, releasing, untilAborted } from './streams.ts'
