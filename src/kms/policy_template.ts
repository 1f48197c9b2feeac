import { conditionKey, type ConditionContext, type ConditionKey } from './condition_context.js';
import { malformedPolicy } from './errors.js';
import { compilePattern, literalUnits, wildcardUnits, type PatternUnits } from './policy_pattern.js';

/** How a text of a policy is read. */
export interface TemplateOptions {
  /** Whether `*` and `?` are wildcards. */
  readonly wildcards: boolean;
  /** Whether case is ignored. */
  readonly ignoreCase: boolean;
  /** Whether `${key}` stands for the value of a condition key: in policies of version 2012-10-17. */
  readonly variables: boolean;
}

/** Whether a value fits a text of a policy. */
export type TemplateMatcher = (value: string, context: ConditionContext) => boolean;

interface Variable {
  readonly key: ConditionKey;
  readonly fallback: string | undefined;
}

const VARIABLE = /\$\{([^}]*)\}/g;
/** Characters that stand for themselves when they are written as a variable. */
const ESCAPES = new Set(['*', '?', '$']);
const VARIABLE_NAME = /^([A-Za-z0-9]+:[^,\s]+?)\s*(?:,\s*'([^']*)')?$/;

/**
 * Compiles a text of a policy. A variable without a value fits nothing; wildcards in its value stand for themselves.
 *
 * @throws {@link KmsError} `MalformedPolicyDocumentException` for a variable that is none
 * @source IAM User Guide, "IAM policy elements: variables and tags"
 */
export function compileTemplate(text: string, options: TemplateOptions): TemplateMatcher {
  const { ignoreCase } = options;
  const fold = (value: string): string => (ignoreCase ? value.toLowerCase() : value);
  const pieces = options.variables ? piecesOf(text) : [text];
  const unitsOf = (piece: string): PatternUnits =>
    options.wildcards ? wildcardUnits(fold(piece)) : literalUnits(fold(piece));
  const parts = pieces.map((piece) => {
    if (typeof piece === 'string') return unitsOf(piece);
    return 'literal' in piece ? literalUnits(piece.literal) : piece;
  });
  if (parts.every(isUnits)) {
    const fits = compilePattern(parts.flat());
    return (value) => fits(fold(value));
  }
  return (value, context) => {
    const units: number[] = [];
    for (const part of parts) {
      if (isUnits(part)) {
        units.push(...part);
        continue;
      }
      const values = context.valuesOf(part.key);
      const resolved = values?.length === 1 ? values[0] : part.fallback;
      if (resolved === undefined) return false;
      units.push(...literalUnits(fold(resolved)));
    }
    return compilePattern(units)(fold(value));
  };
}

function isUnits(part: PatternUnits | Variable): part is PatternUnits {
  return Array.isArray(part);
}

function piecesOf(text: string): readonly (string | Variable | { readonly literal: string })[] {
  const pieces: (string | Variable | { readonly literal: string })[] = [];
  let end = 0;
  for (const found of text.matchAll(VARIABLE)) {
    pieces.push(text.slice(end, found.index));
    end = found.index + found[0].length;
    const inner = found[1] ?? '';
    if (ESCAPES.has(inner)) {
      pieces.push({ literal: inner });
      continue;
    }
    const [, name, fallback] = VARIABLE_NAME.exec(inner.trim()) ?? [];
    if (name === undefined) throw malformedPolicy(`The policy has the malformed variable ${found[0]}.`);
    pieces.push({ key: conditionKey(name), fallback });
  }
  pieces.push(text.slice(end));
  return pieces;
}
