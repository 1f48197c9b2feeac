import type { ImportParameters, WrappingChoice } from './parameters.js';
import type { ImportedKeySpec, Wrapping } from './rules.js';

/** Material that was wrapped for an import. */
export interface WrappedMaterial {
  readonly octets: Uint8Array;
  /** How, in words. */
  readonly strategy: string;
  /** What whoever unwraps it should know. */
  readonly notes: readonly string[];
}

/** Where a customer's material comes from. It is checked and wrapped where it is; nobody asks it for its octets. */
export interface MaterialSource {
  /** What it is, for people: never its value. */
  readonly description: string;
  /**
   * Checks that the material is what a key spec wants.
   *
   * @throws {@link CeremonyError} `ERR_CEREMONY_MATERIAL`
   */
  require(keySpec: ImportedKeySpec): void;
  /** The strongest hash of RSAES-OAEP that the source can do. */
  readonly hash: Wrapping['hash'];
  /**
   * Checks that it fits under a wrapping, as far as that can be told before.
   *
   * @throws {@link CeremonyError} `ERR_CEREMONY_RULE`, `ERR_CEREMONY_SOURCE`
   */
  requireRoom(choice: WrappingChoice): void;
  /** @throws {@link CeremonyError} `ERR_CEREMONY_MATERIAL`, `ERR_CEREMONY_SOURCE` */
  wrap(parameters: ImportParameters): Promise<WrappedMaterial>;
  /** Wipes what is here of it, and lets go of where it was. */
  close(): Promise<void>;
}
