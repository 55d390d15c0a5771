export { type Fault, startProxy, type TcpProxy, type TcpProxyOptions, type WayFault } from './proxy.ts'
