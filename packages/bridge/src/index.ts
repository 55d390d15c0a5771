export { type Bridge, type BridgedObject, type BridgeOptions, openBridge } from './bridge.ts'
