import type { KeyObject } from 'node:crypto';
import { messageOfTyp, MESSAGES, type Message } from '../replication/message.js';
import { decodeMessage } from '../replication/message_codec.js';
import type { Roster } from '../replication/roster.js';
import { parseJws, parsePayload, refusalOfSignature } from '../wire/jws.js';
import { publicKeyOf } from '../wire/p384.js';
import { isReject, reject } from '../wire/refusal.js';
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
  /** Type in the protected header, for example `mrkr1-offer+jws`; null where it could not be read. */
  readonly typ: string | null;
  /** Whose key signed it, by the rosters; null where none lists the key. */
  readonly signer: {
    readonly region: string;
    /** Of the newest roster that lists it. */
    readonly epoch: string;
  } | null;
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
    typ: null,
    signer: null,
    message: null,
    payload: null,
  };
  const seed = observeSeedMessage(octets, rosters);
  if (seed !== undefined) return seed;
  const jws = parseJws(octets);
  if (isReject(jws)) return { ...unknown, octets: octets.length, verification: `${jws.code}: ${jws.detail}` };
  const { kid, typ, messageId } = jws;
  const signer = signerOf(kid, rosters);
  const listed = signer === undefined ? null : { region: signer.region, epoch: signer.epoch };
  const name = messageOfTyp(jws.typ);
  const payload = parsePayload(jws);
  // As a region does it: what is signed is looked at when the signature is good.
  const unsigned = signer === undefined ? null : refusalOfSignature(jws, signer.key);
  if (name === undefined || isReject(payload)) {
    const wrong = unsigned ?? (isReject(payload) ? payload : reject('TYP', 'typ', 'no message of this protocol'));
    const verification = `${wrong.code}: ${wrong.detail}`;
    return { ...unknown, kid, typ, signer: listed, messageId, octets: octets.length, verification };
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
    typ,
    signer: listed,
    octets: octets.length,
    verification: verify(),
    message: read,
    payload,
  };

  function verify(): string {
    const wrong = unsigned ?? (isReject(message) ? message : null);
    if (wrong !== null) return `${wrong.code}: ${wrong.detail}`;
    if (signer === undefined) return 'KID_STATE: no roster lists its key';
    if (signer.region !== read?.envelope.issuer) return `KID_REGION: signed by ${signer.region}`;
    return signer.isRevoked ? 'KID_STATE: its key is revoked' : 'ok';
  }
}

/** Whose an RSK is, by the newest roster that lists it. */
function signerOf(
  kid: string,
  rosters: readonly Roster[],
):
  | { readonly region: string; readonly epoch: string; readonly key: KeyObject; readonly isRevoked: boolean }
  | undefined {
  for (const { regions, epoch } of rosters.toReversed()) {
    for (const { region, rsk } of regions) {
      const listed = rsk.find((candidate) => candidate.kid === kid);
      const key = listed === undefined ? null : publicKeyOf(listed.jwk);
      if (listed !== undefined && key !== null)
        return { region, epoch: String(epoch), key, isRevoked: listed.state === 'revoked' };
    }
  }
  return undefined;
}

/**
 * Reads a message of profile `seed`: words that nobody signs around a signed step; undefined for any other message. Who sends which key
 * to whom is in the unsigned part, so `ok` says of such a message only that some region signed its points and octets.
 *
 * @source docs/PROTOCOL.md section 10
 */
function observeSeedMessage(octets: Uint8Array, rosters: readonly Roster[]): ObservedMessage | undefined {
  const [word, kind = '', keyId = '', from = '', compact = ''] = Buffer.from(octets).toString('latin1').split(' ');
  if (word !== 'seed') return undefined;
  const jws = compact === '-' ? undefined : parseJws(compact);
  const signed = jws === undefined || isReject(jws) ? undefined : jws;
  const payload = signed === undefined ? null : parsePayload(signed);
  const signer = signed === undefined ? undefined : signerOf(signed.kid, rosters);
  return {
    label: `seed ${kind}`,
    issuer: from,
    destination: null,
    sid: null,
    messageId: signed?.messageId ?? null,
    prev: null,
    keyIds: [keyId],
    kid: signed?.kid ?? null,
    typ: signed?.typ ?? null,
    signer: signer === undefined ? null : { region: signer.region, epoch: signer.epoch },
    octets: octets.length,
    verification: verdict(),
    message: null,
    payload: payload === null || isReject(payload) ? null : payload,
  };

  function verdict(): string {
    if (jws === undefined) return 'unsigned';
    if (isReject(jws)) return `${jws.code}: ${jws.detail}`;
    if (signer === undefined) return 'KID_STATE: no roster lists its key';
    const refusal = refusalOfSignature(jws, signer.key);
    return refusal === null ? 'ok' : `${refusal.code}: ${refusal.detail}`;
  }
}

function keyIdsOf(message: Message | null): readonly string[] {
  if (message === null || !('keys' in message.body)) return [];
  return message.body.keys.map(({ keyId }) => keyId);
}
