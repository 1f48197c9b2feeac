import { createHash } from 'node:crypto';
import { concat, lengthPrefixed as L, u32be, u64be, utf8 } from '../bytes.js';
import type { ReplicationSuite } from './suite.js';

/** One side of an agreement as it is bound into the derivation. */
export interface Party {
  readonly region: string;
  /** Kid of the RSK that signed the message with this side's point. */
  readonly kid: string;
  /** Uncompressed point, 97 octets. */
  readonly point: Uint8Array;
}

/** Everything that RWK and KCK of one session depend on, besides Z. */
export interface AgreementContext {
  readonly suite: ReplicationSuite;
  readonly partition: string;
  readonly source: Party;
  readonly destination: Party;
  /** Session id, 32 octets. */
  readonly sid: Uint8Array;
  /** Keys of the transfer in the order of M0. */
  readonly keys: readonly { readonly keyId: string; readonly generation: bigint }[];
  /** TH1, 48 octets. */
  readonly transcript1: Uint8Array;
  /** CTXH, 48 octets. */
  readonly contextHash: Uint8Array;
}

function sha384(...parts: readonly Uint8Array[]): Uint8Array {
  return createHash('sha384')
    .update(concat(...parts))
    .digest();
}

/** Length of each derived key, bits: RWK is AES-256, KCK keys HMAC-SHA-384. */
const KEY_BITS = { RWK: 256, KCK: 384 } as const;

/**
 * FixedInfo of one derived key.
 *
 * @source SP 800-56C revision 2 section 4.1, concatenation form; docs/PROTOCOL.md section 5
 */
export function encodeFixedInfo(label: 'RWK' | 'KCK', context: AgreementContext): Uint8Array {
  const party = (role: 'S' | 'D', side: Party): Uint8Array =>
    L(concat(L(utf8(context.partition)), L(utf8(role)), L(utf8(side.region)), L(utf8(side.kid)), L(side.point)));
  return concat(
    L(utf8(`MRKR1-P384-SHA384-${context.suite}`)),
    party('S', context.source),
    party('D', context.destination),
    L(
      concat(
        u32be(KEY_BITS[label]),
        L(utf8(label)),
        L(context.sid),
        ...context.keys.flatMap((key) => [L(utf8(key.keyId)), L(u64be(key.generation))]),
        L(context.transcript1),
        L(context.contextHash),
      ),
    ),
  );
}

/** TH1: SHA-384("MRKR1-TH1" || L SI(M0) || L SI(M1)), 48 octets. */
export function transcriptHash1(intent: string, offer: string): Uint8Array {
  return sha384(utf8('MRKR1-TH1'), L(utf8(intent)), L(utf8(offer)));
}

/** TH2: SHA-384("MRKR1-TH2" || L SI(M0) || L SI(M1) || L SI(M2)), 48 octets. */
export function transcriptHash2(intent: string, offer: string, transfer: string): Uint8Array {
  return sha384(utf8('MRKR1-TH2'), L(utf8(intent)), L(utf8(offer)), L(utf8(transfer)));
}

/** Hash of one key's metadata as sent: SHA-384("MRKR1-CTX" || ctx), 48 octets. */
export function metadataHash(context: Uint8Array): Uint8Array {
  return sha384(utf8('MRKR1-CTX'), context);
}

/** CTXH: the metadata hash of the only key, or SHA-384("MRKR1-CTXS" || all metadata hashes) where there are several. */
export function contextHash(contexts: readonly Uint8Array[]): Uint8Array {
  const [first] = contexts;
  if (contexts.length === 1 && first !== undefined) return metadataHash(first);
  return sha384(utf8('MRKR1-CTXS'), ...contexts.map(metadataHash));
}

/** Hash of all wrapped materials in the order of M2: SHA-384(L blob || L blob …), 48 octets. */
export function blobsHash(blobs: readonly Uint8Array[]): Uint8Array {
  return sha384(...blobs.map(L));
}

/** What the source's key confirmation is computed over (`KC_2_U`). */
export function sourceConfirmationInput(context: AgreementContext, blobs: Uint8Array): Uint8Array {
  const { source, destination } = context;
  return concat(
    utf8('KC_2_U'),
    L(utf8(source.region)),
    L(utf8(destination.region)),
    L(source.point),
    L(destination.point),
    context.transcript1,
    context.contextHash,
    blobs,
  );
}

/** What the destination's key confirmation is computed over (`KC_2_V`). */
export function destinationConfirmationInput(context: AgreementContext, transcript2: Uint8Array): Uint8Array {
  const { source, destination } = context;
  return concat(
    utf8('KC_2_V'),
    L(utf8(destination.region)),
    L(utf8(source.region)),
    L(destination.point),
    L(source.point),
    transcript2,
  );
}
