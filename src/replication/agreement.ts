import { decodeBase64Url } from '../wire/base64url.js';
import {
  blobsHash,
  contextHash,
  encodeFixedInfo,
  transcriptHash1,
  type AgreementContext,
  type Party,
} from '../wire/fixed_info.js';
import type { ReplicationSuite } from '../wire/suite.js';
import type { Bodies } from './message.js';
import type { AgreementKey, ReplicationHsm, SessionKeys } from './replication_hsm.js';

/** Everything that both sides bind into RWK and KCK, in the order of M0. */
export function agreementContext(args: {
  readonly suite: ReplicationSuite;
  readonly partition: string;
  readonly source: Party;
  readonly destination: Party;
  readonly sid: string;
  readonly keys: readonly { readonly keyId: string; readonly generation: bigint }[];
  /** Signing inputs of M0 and M1. */
  readonly intent: string;
  readonly offer: string;
  readonly contexts: readonly Uint8Array[];
}): AgreementContext {
  return {
    suite: args.suite,
    partition: args.partition,
    source: args.source,
    destination: args.destination,
    sid: decodeBase64Url(args.sid) ?? new Uint8Array(),
    keys: args.keys,
    transcript1: transcriptHash1(args.intent, args.offer),
    contextHash: contextHash(args.contexts),
  };
}

/** Derives RWK and KCK in the token. */
export function agree(
  hsm: ReplicationHsm,
  key: AgreementKey,
  direction: 'wrap' | 'unwrap',
  context: AgreementContext,
): Promise<SessionKeys> {
  return hsm.agree({
    key,
    peerPoint: direction === 'wrap' ? context.destination.point : context.source.point,
    suite: context.suite,
    fixedInfo: { rwk: encodeFixedInfo('RWK', context), kck: encodeFixedInfo('KCK', context) },
    salt: context.transcript1,
    direction,
  });
}

/** Hash of all blobs of a transfer in its order. */
export function transferBlobsHash(keys: Bodies['transfer']['keys']): Uint8Array {
  return blobsHash(keys.flatMap((key) => key.wrapped.map((material) => material.blob)));
}
