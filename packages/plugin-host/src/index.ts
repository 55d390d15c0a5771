export { type DriverEntry, type DriverPackage, findDrivers } from './driver-entry.ts'
export { loadDriver, shapeProblem } from './load-driver.ts'
export { locationToUrl } from './location.ts'
export { createDriverRegistry, type DriverRegistry } from './registry.ts'
