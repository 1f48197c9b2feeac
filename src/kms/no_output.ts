/** The answer of an operation that answers nothing. */
export type NoOutput = Readonly<Record<string, never>>;

export const NO_OUTPUT: NoOutput = Object.freeze({});
