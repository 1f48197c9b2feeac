import type { KeyId } from '../kms/key_id.js';
import { LIMITS } from '../limits.js';

/** Key policies that were read lately. Its owner drops what has changed, and everything where a transaction is rolled back. */
export class RememberedPolicies {
  readonly #texts = new Map<KeyId, string>();
  /** Of all that are remembered. */
  #characters = 0;

  policy(keyId: KeyId): string | undefined {
    return this.#texts.get(keyId);
  }

  put(keyId: KeyId, text: string): void {
    this.forget(keyId);
    if (this.#characters + text.length > LIMITS.kmsCachedPolicyCharactersMax) this.forgetAll();
    this.#texts.set(keyId, text);
    this.#characters += text.length;
  }

  forget(keyId: KeyId): void {
    const text = this.#texts.get(keyId);
    if (text === undefined) return;
    this.#texts.delete(keyId);
    this.#characters -= text.length;
  }

  forgetAll(): void {
    this.#texts.clear();
    this.#characters = 0;
  }
}
