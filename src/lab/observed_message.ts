import { messageOfTyp, MESSAGES, type Message } from '../replication/message.js';
import { decodeMessage } from '../replication/message_codec.js';
import type { Roster } from '../replication/roster.js';
import { parseJws, parsePayload, refusalOfSignature } from '../wire/jws.js';
import { publicKeyOf } from '../wire/p384.js';
import { isReject } from '../wire/refusal.js';
import type { JsonObject } from '../wire/strict_json.js';

/** A message as somebody who holds the rosters, and no key, can read it. */
export interface ObservedMessage {
  /** `M0` … `MX`, or `?` for what is none. */
  readonly label: string;
  readonly issuer: string | null;
  readonly destination: string | null;
  readonly sid: string | null;
  /** Its identity, which the next message of the session names. */
  readonly messageId: string | null;
  /** Identity of the message that it answers. */
  readonly prev: string | null;
  readonly keyIds: readonly string[];
  readonly kid: string | null;
  /** Octets of the compact form. */
  readonly octets: number;
  /** `ok`, or the code of the refusal and what is wrong. */
  readonly verification: string;
  readonly message: Message | null;
  readonly payload: JsonObject | null;
}

/**
 * Reads a message that crossed the proxy and verifies its signature by the newest roster that lists its key.
 *
 * @param octets - as the proxy saw them
 * @param rosters - oldest first
 */
export function observeMessage(octets: Uint8Array, rosters: readonly Roster[]): ObservedMessage {
  const unknown = {
    label: '?',
    issuer: null,
    destination: null,
    sid: null,
    messageId: null,
    prev: null,
    keyIds: [],
    kid: null,
    message: null,
    payload: null,
  };
  const jws = parseJws(octets);
  if (isReject(jws)) return { ...unknown, octets: octets.length, verification: `${jws.code}: ${jws.detail}` };
  const { kid, messageId } = jws;
  const name = messageOfTyp(jws.typ);
  const payload = parsePayload(jws);
  if (name === undefined || isReject(payload)) {
    const verification = isReject(payload) ? `${payload.code}: ${payload.detail}` : 'TYP: no message of this protocol';
    return { ...unknown, kid, messageId, octets: octets.length, verification };
  }
  const message = decodeMessage(name, payload);
  const read = isReject(message) ? null : message;
  return {
    label: MESSAGES[name].label,
    issuer: read?.envelope.issuer ?? null,
    destination: read?.envelope.destination ?? null,
    sid: read?.envelope.sid ?? null,
    messageId,
    prev: read?.envelope.prev ?? null,
    keyIds: keyIdsOf(read),
    kid,
    octets: octets.length,
    verification: isReject(message) ? `${message.code}: ${message.detail}` : verify(),
    message: read,
    payload,
  };

  function verify(): string {
    const newest = rosters
      .toReversed()
      .flatMap(({ regions }) => regions.map((region) => ({ region: region.region, keys: region.rsk })));
    const signer = newest.find(({ keys }) => keys.some((key) => key.kid === kid));
    const listed = signer?.keys.find((key) => key.kid === kid);
    const key = listed === undefined ? null : publicKeyOf(listed.jwk);
    if (signer === undefined || listed === undefined || key === null) return 'KID_STATE: no roster lists its key';
    const refusal = isReject(jws) ? jws : refusalOfSignature(jws, key);
    if (refusal !== null) return `${refusal.code}: ${refusal.detail}`;
    if (signer.region !== read?.envelope.issuer) return `KID_REGION: signed by ${signer.region}`;
    return listed.state === 'revoked' ? 'KID_STATE: its key is revoked' : 'ok';
  }
}

function keyIdsOf(message: Message | null): readonly string[] {
  if (message === null || !('keys' in message.body)) return [];
  return message.body.keys.map(({ keyId }) => keyId);
}
