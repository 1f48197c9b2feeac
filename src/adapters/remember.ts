import { LIMITS } from '../limits.js';

/** Remembers what belongs to one key or name; the oldest is forgotten where there is no room. */
export function remember<Value>(cache: Map<string, Value>, key: string, value: Value): void {
  if (cache.size >= LIMITS.kmsCachedKeysMax) {
    const oldest = cache.keys().next();
    if (oldest.done !== true) cache.delete(oldest.value);
  }
  cache.set(key, value);
}
