import { toBase64Url } from '../bytes.js';
import { parseJws, parsePayload, refusalOfSignature, signJws } from '../wire/jws.js';
import { Members } from '../wire/members.js';
import { publicKeyOf, thumbprint, type PublicJwk } from '../wire/p384.js';
import { accepted, refuse, refusing, type Reject } from '../wire/refusal.js';
import { REACH_MEMBERS, reachOf, readReach, type TokenReach } from './token_reach.js';

/** Type of an enrolment request; the RSK signs nothing else of this type. */
export const ENROLMENT_TYP = 'mrkr1-enrol+jws';

/** What a region asks the partition authority to list. */
export interface Enrolment extends TokenReach {
  readonly partition: string;
  readonly region: string;
  readonly jwk: PublicJwk;
  /** The authority's challenge, 32 octets in base64url. */
  readonly challenge: string;
}

/** Octets of a challenge. */
export const CHALLENGE_OCTETS = 32;

/**
 * Makes an enrolment request: the public RSK, what the token can carry, and the challenge, signed by that RSK as proof of possession.
 *
 * @source docs/PROTOCOL.md section 8
 */
export function requestEnrolment(
  enrolment: Omit<Enrolment, 'challenge'> & { readonly challenge: Uint8Array },
  sign: (kid: string, octets: Uint8Array) => Promise<Uint8Array>,
): Promise<string> {
  const payload = {
    v: 1,
    t: 'MRKR1-ENROL',
    part: enrolment.partition,
    region: enrolment.region,
    jwk: { ...enrolment.jwk },
    challenge: toBase64Url(enrolment.challenge),
    ...reachOf(enrolment),
  };
  return signJws({ kid: thumbprint(enrolment.jwk), typ: ENROLMENT_TYP }, payload, sign);
}

/**
 * Verifies an enrolment request against the challenge that the authority gave out for it.
 *
 * @returns what may be listed, or a refusal: `TYP`, `SIG_INVALID`, `PARTITION`, `PREV` for another challenge, `SYNTAX` …
 */
export function verifyEnrolment(args: {
  readonly compact: string;
  readonly partition: string;
  readonly challenge: Uint8Array;
}): Enrolment | Reject {
  return refusing(() => {
    const jws = accepted(parseJws(args.compact));
    if (jws.typ !== ENROLMENT_TYP) refuse('TYP', 'typ', 'Not an enrolment request.');
    const names = ['v', 't', 'part', 'region', 'jwk', 'challenge', ...REACH_MEMBERS];
    const members = new Members(accepted(parsePayload(jws)), names);
    const jwk = members.jwk('jwk');
    const key = publicKeyOf(jwk);
    if (key === null) return refuse('POINT', 'jwk', 'The key is not a point of P-384.');
    if (thumbprint(jwk) !== jws.kid) refuse('SIG_INVALID', 'kid', 'Signed by another key than the one it enrols.');
    const refusal = refusalOfSignature(jws, key);
    if (refusal !== null) refuse(refusal.code, refusal.field, refusal.detail);
    members.literal('v', 1);
    members.literal('t', 'MRKR1-ENROL', 'TYP');
    if (members.name('part') !== args.partition) refuse('PARTITION', 'part', 'A region of another partition.');
    if (members.encoded('challenge', CHALLENGE_OCTETS) !== toBase64Url(args.challenge)) {
      refuse('PREV', 'challenge', 'Not an answer to this challenge.');
    }
    return {
      partition: args.partition,
      region: members.name('region'),
      jwk,
      challenge: members.text('challenge'),
      ...readReach(members),
    };
  });
}
