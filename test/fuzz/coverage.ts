/**
 * Which ways through src/ an input takes: the sources are loaded with a counter at every branch, and a bound on the turns
 * of all loops together, so that what never ends is found and not waited for. Import this before anything of src/.
 *
 * The fuzzers there are for Node need a C library newer than Debian's, or CommonJS; TypeScript is here in any case.
 */

import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const sources = new URL('../../src/', import.meta.url).href;
const countersMax = 65_536;

interface Coverage {
  /** Times that each branch was taken, modulo 256. */
  readonly hits: Uint8Array;
  turns: number;
  turnsMax: number;
}

/** An input that makes loops turn too often. */
export class TooMuchWork extends Error {}

const coverage: Coverage & { tooLong(): never } = {
  hits: new Uint8Array(countersMax),
  turns: 0,
  turnsMax: Infinity,
  tooLong: () => {
    throw new TooMuchWork(`loops turned more than ${coverage.turnsMax} times`);
  },
};
Object.assign(globalThis, { holdfastCoverage: coverage });

let counters = 0;

/** Branches of all files that have been loaded. */
export function branchCount(): number {
  return counters;
}

/** Runs one input. `turnsMax`: how often all loops together may turn. @throws what it throws, or TooMuchWork */
export function counted(turnsMax: number, run: () => void): void {
  coverage.hits.fill(0, 0, counters);
  coverage.turns = 0;
  coverage.turnsMax = turnsMax;
  try {
    run();
  } finally {
    coverage.turnsMax = Infinity;
  }
}

/** What the last run did: branches, each with the magnitude of its count, as numbers that name both. */
export function* features(): Generator<number> {
  for (let counter = 0; counter < counters; counter++) {
    const hits = coverage.hits[counter]!;
    if (hits !== 0) yield counter * 8 + 31 - Math.clz32(hits);
  }
}

registerHooks({
  load(url, context, nextLoad) {
    if (!url.startsWith(sources) || !url.endsWith('.ts')) return nextLoad(url, context);
    const text = readFileSync(fileURLToPath(url), 'utf8');
    return { format: 'module', source: instrumented(text, fileURLToPath(url)), shortCircuit: true };
  },
});

function instrumented(text: string, fileName: string): string {
  const { outputText } = ts.transpileModule(text, {
    fileName,
    compilerOptions: {
      target: ts.ScriptTarget.ESNext,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
      inlineSourceMap: true,
    },
    transformers: { before: [counting] },
  });
  return outputText.replace(/^/, 'const holdfastHits = globalThis.holdfastCoverage.hits; ');
}

/** Puts `holdfastHits[N]++` at every place where the program chose to go on. */
function counting(context: ts.TransformationContext): ts.Transformer<ts.SourceFile> {
  const { factory } = context;

  const hit = (): ts.Expression => {
    if (counters === countersMax) throw new Error('more branches than counters');
    const place = factory.createElementAccessExpression(factory.createIdentifier('holdfastHits'), counters++);
    return factory.createPostfixIncrement(place);
  };
  const counted = (expression: ts.Expression): ts.Expression =>
    factory.createParenthesizedExpression(factory.createComma(hit(), expression));
  const entered = (statements: readonly ts.Statement[]): ts.Block =>
    factory.createBlock([factory.createExpressionStatement(hit()), ...statements], true);
  const statementsOf = (statement: ts.Statement): readonly ts.Statement[] =>
    ts.isBlock(statement) ? statement.statements : [statement];
  const turn = (): ts.Statement => {
    const place = factory.createIdentifier('globalThis.holdfastCoverage');
    const turns = factory.createPrefixIncrement(factory.createPropertyAccessExpression(place, 'turns'));
    const max = factory.createPropertyAccessExpression(place, 'turnsMax');
    const tooLong = factory.createCallExpression(factory.createPropertyAccessExpression(place, 'tooLong'), [], []);
    return factory.createIfStatement(factory.createGreaterThan(turns, max), factory.createExpressionStatement(tooLong));
  };
  const looped = (statement: ts.Statement): ts.Block => entered([turn(), ...statementsOf(statement)]);

  function visit(given: ts.Node): ts.Node {
    const node = ts.visitEachChild(given, visit, context);
    if (ts.isArrowFunction(node)) return arrow(node);
    if (isBodied(node)) return bodied(node);
    if (ts.isIfStatement(node)) {
      const other = entered(node.elseStatement === undefined ? [] : statementsOf(node.elseStatement));
      return factory.updateIfStatement(node, node.expression, entered(statementsOf(node.thenStatement)), other);
    }
    if (ts.isForStatement(node))
      return factory.updateForStatement(
        node,
        node.initializer,
        node.condition,
        node.incrementor,
        looped(node.statement),
      );
    if (ts.isForOfStatement(node))
      return factory.updateForOfStatement(
        node,
        node.awaitModifier,
        node.initializer,
        node.expression,
        looped(node.statement),
      );
    if (ts.isWhileStatement(node)) return factory.updateWhileStatement(node, node.expression, looped(node.statement));
    if (ts.isCaseClause(node))
      return factory.updateCaseClause(node, node.expression, entered(node.statements).statements);
    if (ts.isDefaultClause(node)) return factory.updateDefaultClause(node, entered(node.statements).statements);
    if (ts.isConditionalExpression(node)) {
      const { condition, questionToken, whenTrue, colonToken, whenFalse } = node;
      return factory.updateConditionalExpression(
        node,
        condition,
        questionToken,
        counted(whenTrue),
        colonToken,
        counted(whenFalse),
      );
    }
    if (ts.isBinaryExpression(node) && isChoice(node.operatorToken.kind))
      return factory.updateBinaryExpression(node, node.left, node.operatorToken, counted(node.right));
    return node;
  }

  function arrow(node: ts.ArrowFunction): ts.Node {
    const { modifiers, typeParameters, parameters, type, equalsGreaterThanToken, body } = node;
    const counting = ts.isBlock(body) ? entered(body.statements) : counted(body);
    return factory.updateArrowFunction(
      node,
      modifiers,
      typeParameters,
      parameters,
      type,
      equalsGreaterThanToken,
      counting,
    );
  }

  function bodied(node: ts.FunctionDeclaration | ts.MethodDeclaration): ts.Node {
    const { modifiers, asteriskToken, typeParameters, parameters, type, body } = node;
    if (body === undefined) return node;
    const inside = entered(body.statements);
    return ts.isFunctionDeclaration(node)
      ? factory.updateFunctionDeclaration(
          node,
          modifiers,
          asteriskToken,
          node.name,
          typeParameters,
          parameters,
          type,
          inside,
        )
      : factory.updateMethodDeclaration(
          node,
          modifiers,
          asteriskToken,
          node.name,
          node.questionToken,
          typeParameters,
          parameters,
          type,
          inside,
        );
  }

  return (file) => ts.visitEachChild(file, visit, context);
}

function isBodied(node: ts.Node): node is ts.FunctionDeclaration | ts.MethodDeclaration {
  return ts.isFunctionDeclaration(node) || ts.isMethodDeclaration(node);
}

function isChoice(kind: ts.SyntaxKind): boolean {
  return (
    kind === ts.SyntaxKind.AmpersandAmpersandToken ||
    kind === ts.SyntaxKind.BarBarToken ||
    kind === ts.SyntaxKind.QuestionQuestionToken
  );
}
