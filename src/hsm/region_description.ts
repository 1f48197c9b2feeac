import type { DataSuite } from '../wire/ciphertext_blob.js';
import type { ReplicationSuite } from '../wire/suite.js';
import type { HsmCapabilities } from './capability.js';
import type { KeyStorageKind } from './material.js';

/** What `status` shows of a region's HSM. */
export interface RegionHsmDescription {
  /** `working`, or why the HSM stopped. */
  readonly state: string;
  readonly fingerprint: string;
  readonly epoch: number;
  /** `CKA_ID`s of the domain keys of multi-Region material, the active one first. */
  readonly domainKeys: readonly string[];
  /** The same for single-Region material. */
  readonly singleRegionDomainKeys: readonly string[];
  /** Whether the active single-Region domain key is `CKA_TRUSTED`. */
  readonly domainKeyIsTrusted: boolean;
  readonly recordKeys: readonly string[];
  readonly signingKeys: readonly string[];
  readonly suites: readonly ReplicationSuite[];
  readonly dataSuites: readonly DataSuite[];
  readonly missing: HsmCapabilities['missing'];
  /** What the token itself enforces; the rest is enforced by Keyferry alone. */
  readonly enforcedByToken: {
    readonly extractable: boolean;
    readonly wrapWithTrusted: boolean;
    readonly allowedMechanisms: boolean;
    /**
     * Whether a new single-Region key cannot be taken to another region: where keys rest wrapped, it can only be loaded as a key that no
     * agreed key can wrap; where they rest in the token, it is not extractable, and stays so.
     */
    readonly singleRegion: boolean;
    /** Whether the token also refuses to let such a key be read, or loaded as one that can be. */
    readonly singleRegionUnreadable: boolean;
  };
  /** Where new keys rest. */
  readonly keyStorage: KeyStorageKind;
  /** Token objects that keys are, those included that are still to be destroyed. */
  readonly tokenObjects: number;
  readonly loadedKeys: number;
  readonly ephemeralKeys: number;
  /** How often the token kept an object that it said it had destroyed. */
  readonly undestroyed: number;
}
