import type { Expression } from './ast.ts'

/** The expressions right inside an expression. */
function inner(expression: Expression): readonly (Expression | undefined)[] {
	switch (expression.kind) {
		case 'literal':
		case 'parameter':
		case 'column':
		case 'nothing':
			return []
		case 'call':
			return expression.args
		case 'cast':
		case 'not':
		case 'minus':
		case 'bitNot':
		case 'isNull':
		case 'member':
		case 'aggregate':
			return [expression.item]
		case 'binary':
			return [expression.left, expression.right]
		case 'in':
			return [expression.item, expression.among]
		case 'between':
			return [expression.item, expression.least, expression.most]
		case 'like':
			return [expression.item, expression.pattern, expression.escape]
		case 'case':
			return [...expression.branches.flatMap(({ when, then }) => [when, then]), expression.otherwise]
		case 'tuple':
		case 'list':
			return expression.items
		case 'struct':
			return expression.members.map(({ value }) => value)
	}
}

/** The first expression in an expression (itself included) for which the test is true. */
export function findExpression(
	expression: Expression | undefined,
	test: (expression: Expression) => boolean,
): Expression | undefined {
	if (!expression || test(expression)) return expression
	for (const each of inner(expression)) {
		const found = findExpression(each, test)
		if (found) return found
	}
	return undefined
}

/** The first aggregation in an expression. */
export function findAggregate(expression: Expression | undefined): Expression | undefined {
	return findExpression(expression, ({ kind }) => kind === 'aggregate')
}
