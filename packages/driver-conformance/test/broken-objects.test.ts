import { areCaught } from './broken/catching.ts'
import { createFlaws } from './broken/create.ts'
import { getFlaws } from './broken/get.ts'
import { goldenFlaws } from './broken/golden.ts'
import { putFlaws } from './broken/put.ts'

areCaught([...putFlaws, ...createFlaws, ...getFlaws, ...goldenFlaws])
