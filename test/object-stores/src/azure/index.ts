export { ACCOUNT, type Azurite, type AzuriteOptions, KEY, startAzurite } from './azurite.ts'
export { type Deed, type Front, type Seen, startFront } from './front.ts'
