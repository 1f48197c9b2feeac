import { materialFunctions, type NativeMaterialFacts } from './native.js';

/** Why material could not be read or wrapped: a sentence's end, such as "it is empty". */
export class MaterialRefusal extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'MaterialRefusal';
  }
}

/** Hash of RSAES-OAEP and of its MGF1. */
export type OaepHash = 'sha1' | 'sha256';

const HASH_NUMBERS: Readonly<Record<OaepHash, number>> = { sha1: 1, sha256: 2 };

/**
 * Key material in locked native memory, on its way to an import. Its octets are never a JavaScript value:
 * JavaScript holds a handle, and gets what wrapping made of them.
 */
export class LockedMaterial {
  readonly facts: NativeMaterialFacts;
  readonly #handle: object;

  private constructor(handle: object, facts: NativeMaterialFacts) {
    this.#handle = handle;
    this.facts = facts;
  }

  /**
   * Reads material, off the event loop: at most 8,192 octets.
   *
   * @throws {@link MaterialRefusal} where it cannot be read, is empty or too long
   */
  static async read(source: { readonly path: string } | 'standard input'): Promise<LockedMaterial> {
    const answer = await materialFunctions().readMaterial(source === 'standard input' ? '' : source.path);
    if ('refusal' in answer) throw new MaterialRefusal(answer.refusal);
    return new LockedMaterial(answer.handle, answer.facts);
  }

  /**
   * Wraps the material as `ImportKeyMaterial` takes it.
   *
   * @param under.publicKey - DER SubjectPublicKeyInfo of an RSA key, checked by the caller
   * @param under.withAesKey - RFC 5649 under a fresh AES-256 key, which goes before it; else RSAES-OAEP alone
   * @throws {@link MaterialRefusal}
   * @source RFC 8017 section 7.1, RFC 5649
   */
  wrap(under: { readonly publicKey: Uint8Array; readonly hash: OaepHash; readonly withAesKey: boolean }): Uint8Array {
    const { publicKey, hash, withAesKey } = under;
    const answer = materialFunctions().wrapMaterial(this.#handle, publicKey, HASH_NUMBERS[hash], withAesKey);
    if ('refusal' in answer) throw new MaterialRefusal(answer.refusal);
    return answer.wrapped;
  }

  /** Wipes the octets. */
  forget(): void {
    materialFunctions().forgetMaterial(this.#handle);
  }
}
