import type { MaterialBinding, StoredMaterial, WrappedMaterial } from '../hsm/material.js';
import type { ReplicationSuite } from '../wire/suite.js';

/** An ephemeral agreement key (RAKA or RAKB) in the token. */
export interface AgreementKey {
  /** Uncompressed P-384 point, 97 octets. */
  readonly point: Uint8Array;
  /** Label that the token object carries (the session id, or a nonce for RAKA): read back before the key is used. */
  readonly label: Uint8Array;
}

/** RWK and KCK of one session, session objects in the token. */
export interface SessionKeys {
  readonly suite: ReplicationSuite;
}

/** What is asked of an agreement. */
export interface AgreementRequest {
  readonly key: AgreementKey;
  /** The peer's point, validated by the caller: 97 octets, uncompressed, on the curve, not our own. */
  readonly peerPoint: Uint8Array;
  readonly suite: ReplicationSuite;
  /** FixedInfo of each derived key; also the HKDF salt where the suite has one. */
  readonly fixedInfo: { readonly rwk: Uint8Array; readonly kck: Uint8Array };
  /** TH1, 48 octets. */
  readonly salt: Uint8Array;
  /** `wrap` at the source, `unwrap` at the destination: RWK gets that usage and no other. */
  readonly direction: 'wrap' | 'unwrap';
}

/**
 * What the replication protocol asks of a region's HSM. No method lets octets of Z, RWK, KCK or material leave the token.
 *
 * Failures are `HsmError`s: `ERR_HSM_MECHANISM` (the token refused a mechanism that its profile promised),
 * `ERR_HSM_UNWRAP` (one code for every unwrap failure), `ERR_HSM_TYPE` (what came out is not what was declared; it is destroyed),
 * `ERR_HSM_MATERIAL_ID`, `ERR_HSM_AGREEMENT_KEY` (the handle is not the key it was), `ERR_HSM_NOT_DESTROYED`,
 * `ERR_HSM_SELF_TEST`, `ERR_HSM_SESSION_LOST` (restart the session).
 */
export interface ReplicationHsm {
  /** Suites that this token can carry, the preferred first. */
  readonly suites: readonly ReplicationSuite[];
  /** Data suites (message keys) that this token can carry, the preferred first. */
  readonly dataSuites: readonly string[];
  /** Module and firmware in one line, for the roster and the trace. */
  readonly fingerprint: string;
  /** Octets from the token's random generator. */
  random(octets: number): Promise<Uint8Array>;
  /** ECDSA P-384 over SHA-384 of the octets, r || s, 96 octets, made by the RSK in the token and verified in software. */
  sign(kid: string, octets: Uint8Array): Promise<Uint8Array>;
  /** A fresh P-384 pair: session object, not extractable, derive only; attributes read back. */
  generateAgreementKey(label: Uint8Array): Promise<AgreementKey>;
  /** Derives RWK and KCK; the agreement key stays until {@link release}. */
  agree(request: AgreementRequest): Promise<SessionKeys>;
  /** Wraps one backing key under RWK; refuses material of a single-Region key. */
  wrap(keys: SessionKeys, material: StoredMaterial): Promise<WrappedMaterial>;
  /** HMAC-SHA-384 under KCK, 48 octets. */
  confirm(keys: SessionKeys, octets: Uint8Array): Promise<Uint8Array>;
  /**
   * Unwraps under RWK with the destination's own template, reads every attribute back, recomputes the key material id in the token,
   * and wraps under the domain key.
   */
  unwrap(keys: SessionKeys, wrapped: WrappedMaterial, binding: MaterialBinding): Promise<StoredMaterial>;
  /** Destroys the objects and checks that they are gone. Never fails for objects that a lost session has already taken. */
  release(...objects: readonly (AgreementKey | SessionKeys)[]): Promise<void>;
  /** Which strategy and mechanism carry a step, for the trace and the audit; undefined where a step has none. */
  explain?(
    step: 'sign' | 'generateAgreementKey' | 'agree' | 'wrap' | 'unwrap' | 'confirm',
    suite?: ReplicationSuite,
  ): { readonly strategy: string; readonly mechanism: string } | undefined;
  /** Ephemeral objects (agreement and session keys) that this process still holds; 0 when nothing is in flight. */
  ephemeralCount(): Promise<number>;
}
