import { roomTests } from '../../vitest.project.ts'

export default roomTests(import.meta.dirname, { runsCli: true })
