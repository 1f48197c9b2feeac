/**
 * Why a message, certificate or roster was refused; the codes of the security audit. Every refusal changes no key state.
 *
 * @source docs/PROTOCOL.md section 9
 */
export type RefusalCode =
  | 'LIMIT' // a bound of limits.ts
  | 'ENCODING' // not a compact JWS in strict base64url
  | 'JSON_DUP' // a member name twice in one object
  | 'SYNTAX' // not the members, types or names that the format has
  | 'HEADER' // a protected header other than alg, kid, typ
  | 'ALG' // an algorithm other than ES384
  | 'TYP' // a message of another type, direction or flow
  | 'SIG_INVALID' // r or s out of range, or the signature does not verify
  | 'KID_STATE' // an RSK that is unknown, pending, retired or revoked
  | 'KID_REGION' // an RSK of another region than the issuer
  | 'PARTITION' // another partition
  | 'SELF' // a message of this region to itself
  | 'DST' // a message to another region
  | 'EPOCH' // another roster epoch than the session's
  | 'EPOCH_STALE' // the sender's roster is older than ours
  | 'EPOCH_AHEAD' // the sender's roster is newer than ours
  | 'PREV' // not an answer to the message that this session sent last
  | 'SID' // no such session
  | 'DUPLICATE' // a second message where the first has been acted on
  | 'FORK' // two different messages, rosters or hand-overs in one place: a copy of a region, or a fork
  | 'ORIGIN' // the key does not come from that region, or its certificate does not say what is claimed
  | 'GEN' // a generation or material older than one already seen
  | 'CONFLICT' // the key id is used here by another key
  | 'REPLICA_DELETED' // the replica was deleted here since; a later generation makes it anew
  | 'NOT_ENABLED' // a hand-over to a replica that is not enabled
  | 'HANDED_OVER' // a hand-over that is complete already
  | 'CONTEXT' // metadata that is not what was announced or certified
  | 'DATA_SUITE' // message keys that this region's token cannot make
  | 'FLOOR' // no common suite at or above the floor
  | 'SUITE_CHOICE' // not the best common suite
  | 'POINT' // not an uncompressed point on P-384
  | 'SELF_POINT' // our own point, reflected
  | 'KC' // key confirmation does not match
  | 'ROSTER_SIG' // roster not signed by the partition authority
  | 'ROSTER_ROLLBACK' // an older roster
  | 'ROSTER_FORK' // two rosters of one epoch
  | 'ROSTER_CHAIN' // a roster that does not follow the one before it
  | 'MECHANISM' // the token refused a mechanism that its profile promised
  | 'UNWRAP' // the token could not unwrap; one code for every cause
  | 'TYPE' // what was unwrapped is not what was declared
  | 'MATERIAL_ID' // what was unwrapped is not the material that was named
  | 'DESTROY_CHECK' // an ephemeral object is still in the token after it was destroyed
  | 'SELFTEST' // a token answered wrongly; the agent stops
  | 'SESSION_LOST' // the token's session ended in the middle
  | 'TOKEN'; // any other failure of the token

/** A refused input: a value, not an exception, because peers may be wrong at any time. */
export interface Reject {
  readonly kind: 'reject';
  readonly code: RefusalCode;
  /** Offending member or part, as a path; null where the whole is wrong. */
  readonly field: string | null;
  /** A sentence for people; holds no octets of the message beyond names. */
  readonly detail: string;
}

/** Makes a refusal. */
export function reject(code: RefusalCode, field: string | null, detail: string): Reject {
  return { kind: 'reject', code, field, detail };
}

/** Whether a result is a refusal. */
export function isReject(value: unknown): value is Reject {
  return typeof value === 'object' && value !== null && (value as { readonly kind?: unknown }).kind === 'reject';
}

/** Carries a refusal out of nested readers; never leaves {@link refusing}. */
class RefusalSignal extends Error {
  readonly refusal: Reject;

  constructor(refusal: Reject) {
    super(refusal.detail);
    this.refusal = refusal;
  }
}

/** Ends the surrounding {@link refusing} with a refusal. */
export function refuse(code: RefusalCode, field: string | null, detail: string): never {
  throw new RefusalSignal(reject(code, field, detail));
}

/** The accepted value, or ends the surrounding {@link refusing} with the refusal. */
export function accepted<T>(value: T | Reject): T {
  if (isReject(value)) throw new RefusalSignal(value);
  return value;
}

/** {@link refusing} for readers that wait for something. */
export async function refusingLater<T>(read: () => Promise<T>): Promise<T | Reject> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof RefusalSignal) return error.refusal;
    throw error;
  }
}

/** Runs readers that call {@link refuse}; their refusal becomes the result. Anything else that is thrown is a bug and passes. */
export function refusing<T>(read: () => T): T | Reject {
  try {
    return read();
  } catch (error) {
    if (error instanceof RefusalSignal) return error.refusal;
    throw error;
  }
}
