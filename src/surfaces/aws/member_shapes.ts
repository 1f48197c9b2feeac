import { blob, listOf, structure, text, type TextShape } from './shape.js';

/**
 * Members that many operations have, with the constraints of the AWS KMS model.
 *
 * @source AWS KMS API Reference, members of each operation
 */

export const keyId = text(1, 2048);
export const description = text(0, 8192);
export const grantTokens = listOf(text(1, 8192), 10);
export const marker = text(1, 1024, { expression: /^[\u0020-\u00FF]*$/, shown: '[\\u0020-\\u00FF]*' });
export const aliasName = matching(1, 256, '^[a-zA-Z0-9:/_-]+$');
export const customKeyStoreId = text(1, 64);
export const ciphertext = blob(1, 6144);
export const policy = text(1, 131_072, {
  expression: /^[\t\n\r\u0020-\u00FF]+$/,
  shown: '[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+',
});
const tagKey = text(1, 128);
// The model has no limit for the number of tags: what is too many is the operation's to say.
const TAGS_MAX = 1000;
export const tagKeys = listOf(tagKey, TAGS_MAX);
export const tags = listOf(structure({ required: { TagKey: tagKey, TagValue: text(0, 256) }, optional: {} }), TAGS_MAX);

/** A text whose pattern is the same expression in validation messages and here. */
export function matching(min: number, max: number, pattern: string): TextShape {
  return text(min, max, { expression: new RegExp(pattern), shown: pattern });
}
