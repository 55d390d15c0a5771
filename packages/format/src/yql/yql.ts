export { pathsUsed, type PathRewrite, rewritePaths, secretsUsed } from './rewrite-paths.ts'
export { type CreateStatement, readCreateStatement, type StatedKind } from './statements.ts'
export { viewStatement } from './view.ts'
