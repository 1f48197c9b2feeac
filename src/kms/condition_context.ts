/** A condition key as a policy writes it. Names of condition keys are compared without case. */
export interface ConditionKey {
  readonly written: string;
  /** In lower case. */
  readonly name: string;
}

/** What conditions and variables of policies ask about: the values that one request gives to condition keys. */
export interface ConditionContext {
  /** @returns the key's values as texts; undefined where the request has none */
  valuesOf(key: ConditionKey): readonly string[] | undefined;
}

export function conditionKey(written: string): ConditionKey {
  return { written, name: written.toLowerCase() };
}

/** A value of a condition key before it is a text. */
export type ConditionValue = string | number | boolean | Date | readonly string[];

/** Texts of a value: times as ISO 8601, the rest as it is written. */
export function conditionTexts(value: ConditionValue): readonly string[] {
  if (typeof value === 'string') return [value];
  if (typeof value === 'number' || typeof value === 'boolean') return [String(value)];
  return value instanceof Date ? [value.toISOString()] : value;
}
