export type { Credentials } from './connect/credentials.ts'
export { normalDatabase, normalEndpoint, parseConnectionString, type Target } from './connect/target.ts'
export { connect, type ConnectOptions, type Ydb } from './ydb.ts'
