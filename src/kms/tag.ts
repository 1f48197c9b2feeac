import { LIMITS } from '../limits.js';
import { KmsError } from './errors.js';

/** A tag of a key. */
export interface Tag {
  readonly TagKey: string;
  readonly TagValue: string;
}

/**
 * Checks the tags of a new key; their lengths were checked with the request's model.
 *
 * @throws {@link KmsError} `TagException`
 */
export function requireValidTags(tags: readonly Tag[]): void {
  if (new Set(tags.map((tag) => tag.TagKey)).size !== tags.length) throw tagError('Duplicate tag keys');
  if (tags.length > LIMITS.kmsTagsMax) throw tagError('Too many tags');
  if (tags.some((tag) => tag.TagKey.toLowerCase().startsWith('aws:'))) {
    throw tagError('Tags beginning with aws: are reserved');
  }
}

/**
 * Checks that a key may have further tags beside those that it has; a tag whose key it has replaces that one.
 *
 * @throws {@link KmsError} `TagException`
 */
export function requireRoomForTags(present: readonly Tag[], added: readonly Tag[]): void {
  const tagKeys = new Set([...present, ...added].map(({ TagKey }) => TagKey));
  if (tagKeys.size > LIMITS.kmsTagsMax) throw tagError('Too many tags');
}

function tagError(message: string): KmsError {
  return new KmsError('TagException', message);
}
