export type { Fault, FaultPlan, Operation } from './faults.ts'
export { ALL_PERMISSIONS, type Permission, type ServiceAccountKey } from './oauth.ts'
export { type GcsServer, type GcsServerOptions, type SeenRequest, startGcsServer } from './server.ts'
export type { BucketOptions } from './store.ts'
