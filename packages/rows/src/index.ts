export { canonicalRow, canonicalUuid, canonicalValue, halvesValue } from './canonical.ts'
export { chunkFromFrames, takeRows } from './chunk.ts'
export { printDecimal, readInt128 } from './decimal.ts'
export {
	createKeyComparator,
	createRowKeyComparator,
	isInRange,
	type KeyComparator,
	type RowKeyComparator,
} from './key-order.ts'
export { createKeyReader, type KeyReader, keyColumns, keyTypes } from './key-reader.ts'
export { RowHash } from './row-hash.ts'
export { cellShape, type CellShape, isNullable, SHAPE, type Shape } from './shape.ts'
export { showKey } from './show-key.ts'
export { keyBoundTypedValue, listOfStructType, typeToBytes } from './type-bytes.ts'
export { typeFromText, typeToText } from './type-text.ts'
export { printUuid } from './uuid.ts'
export { valueFromText, valueToText } from './value-text.ts'
export {
	after as varintEnd,
	concatBytes,
	copyBytes,
	copyInto,
	findField,
	lengthDelimited,
	readVarint,
	releaseBytes,
	skipField,
	type Span,
	TAG_BYTES,
	TAG_ITEMS,
	TAG_NULL,
	TAG_ROWS,
	varintLength,
	writeVarint,
} from './wire.ts'
