import { toBase64Url } from '../bytes.js';
import {
  checkSignature,
  parsePayload,
  parseJws,
  signJws,
  type SignatureCheck,
  type UnverifiedJws,
} from '../wire/jws.js';
import { Members } from '../wire/members.js';
import { BIRTH_NONCE_OCTETS, multiRegionKeyId } from '../wire/names.js';
import { accepted, refuse, refusing, refusingLater, type Reject } from '../wire/refusal.js';
import type { CertificateKeys } from './roster.js';

/** Type of a birth certificate. */
export const BIRTH_TYP = 'mrkr1-birth+jws';
/** Type of a hand-over certificate. */
export const HANDOVER_TYP = 'mrkr1-handover+jws';

/** What the region where a multi-Region key was made says about it. */
export interface BirthCertificate {
  readonly partition: string;
  readonly originRegion: string;
  readonly birthNonce: Uint8Array;
  readonly keyId: string;
  readonly keySpec: string;
  readonly keyUsage: string;
  readonly origin: string;
  readonly createdEpoch: bigint;
}

/** A key, who may send it, and how often that has changed. */
export interface Lineage {
  readonly birth: BirthCertificate;
  readonly primaryRegion: string;
  /** 0 at birth, one more with each hand-over. */
  readonly primaryGeneration: bigint;
}

type Sign = (kid: string, octets: Uint8Array) => Promise<Uint8Array>;

/** Makes a birth certificate; the key id follows from the nonce. */
export async function issueBirthCertificate(
  birth: Omit<BirthCertificate, 'keyId'>,
  kid: string,
  sign: Sign,
): Promise<{ readonly keyId: string; readonly birthCertificate: string }> {
  const keyId = multiRegionKeyId(birth);
  const payload = {
    v: 1,
    t: BIRTH_TYP,
    part: birth.partition,
    region: birth.originRegion,
    nonce: toBase64Url(birth.birthNonce),
    keyId,
    keySpec: birth.keySpec,
    keyUsage: birth.keyUsage,
    origin: birth.origin,
    epoch: birth.createdEpoch.toString(),
  };
  return { keyId, birthCertificate: await signJws({ kid, typ: BIRTH_TYP }, payload, sign) };
}

/** Makes a certificate by which a primary Region names the next one. */
export function issueHandover(
  handover: {
    readonly partition: string;
    readonly keyId: string;
    readonly from: string;
    readonly to: string;
    readonly primaryGeneration: bigint;
    readonly epoch: bigint;
  },
  kid: string,
  sign: Sign,
): Promise<string> {
  const payload = {
    v: 1,
    t: HANDOVER_TYP,
    part: handover.partition,
    keyId: handover.keyId,
    from: handover.from,
    to: handover.to,
    primaryGen: handover.primaryGeneration.toString(),
    epoch: handover.epoch.toString(),
  };
  return signJws({ kid, typ: HANDOVER_TYP }, payload, sign);
}

function readBirth(jws: UnverifiedJws): BirthCertificate {
  const names = ['v', 't', 'part', 'region', 'nonce', 'keyId', 'keySpec', 'keyUsage', 'origin', 'epoch'];
  const members = new Members(accepted(parsePayload(jws)), names, 'birthCert');
  members.literal('v', 1);
  members.literal('t', BIRTH_TYP, 'TYP');
  return {
    partition: members.name('part'),
    originRegion: members.name('region'),
    birthNonce: members.octets('nonce', { length: BIRTH_NONCE_OCTETS }),
    keyId: members.keyId('keyId'),
    keySpec: members.text('keySpec', 64),
    keyUsage: members.text('keyUsage', 64),
    origin: members.text('origin', 64),
    createdEpoch: members.counter('epoch'),
  };
}

function readHandover(jws: UnverifiedJws) {
  const members = new Members(
    accepted(parsePayload(jws)),
    ['v', 't', 'part', 'keyId', 'from', 'to', 'primaryGen', 'epoch'],
    'handovers',
  );
  members.literal('v', 1);
  members.literal('t', HANDOVER_TYP, 'TYP');
  return {
    partition: members.name('part'),
    keyId: members.keyId('keyId'),
    from: members.name('from'),
    to: members.name('to'),
    primaryGeneration: members.counter('primaryGen'),
    epoch: members.counter('epoch'),
  };
}

function openCertificate(compact: string, typ: string, field: string): UnverifiedJws {
  const jws = accepted(parseJws(compact));
  if (jws.typ !== typ) refuse('TYP', field, `Not a certificate of type ${typ}.`);
  return jws;
}

/** Reads a birth certificate of this region's own making, without verifying it again. */
export function readOwnBirth(compact: string): { readonly birth: BirthCertificate; readonly kid: string } | Reject {
  return refusing(() => {
    const jws = openCertificate(compact, BIRTH_TYP, 'birthCert');
    return { birth: readBirth(jws), kid: jws.kid };
  });
}

/**
 * Verifies who may send a key: its birth certificate, its self-certifying id, and every hand-over since.
 *
 * @param keys - signing keys that certificates may be signed with
 * @returns the lineage, or a refusal: `TYP`, `KID_STATE`, `KID_REGION`, `SIG_INVALID`, `PARTITION`, `ORIGIN`, `FORK` …
 */
export function verifyLineage(args: {
  readonly partition: string;
  readonly keyId: string;
  readonly birthCertificate: string;
  readonly handovers: readonly string[];
  readonly keys: CertificateKeys;
  readonly verifySignature?: SignatureCheck;
}): Promise<Lineage | Reject> {
  return refusingLater(async () => {
    const verify = async (jws: UnverifiedJws, region: string, epoch: bigint, field: string): Promise<void> => {
      const key = accepted(args.keys.certificateKey(jws.kid, region, epoch, field));
      const refusal = await checkSignature(jws, key, args.verifySignature);
      if (refusal !== null) refuse(refusal.code, field, refusal.detail);
    };
    const jws = openCertificate(args.birthCertificate, BIRTH_TYP, 'birthCert');
    const birth = readBirth(jws);
    await verify(jws, birth.originRegion, birth.createdEpoch, 'birthCert');
    if (birth.partition !== args.partition)
      refuse('PARTITION', 'birthCert.part', 'The key was born in another partition.');
    if (birth.keyId !== args.keyId) refuse('ORIGIN', 'birthCert.keyId', 'The certificate is of another key.');
    if (multiRegionKeyId(birth) !== birth.keyId)
      refuse('ORIGIN', 'birthCert.keyId', 'The key id does not follow from its origin.');
    let primaryRegion = birth.originRegion;
    let primaryGeneration = 0n;
    for (const compact of args.handovers) {
      const handoverJws = openCertificate(compact, HANDOVER_TYP, 'handovers');
      const handover = readHandover(handoverJws);
      if (handover.keyId !== args.keyId || handover.partition !== args.partition || handover.from !== primaryRegion) {
        refuse('ORIGIN', 'handovers', 'A hand-over does not follow the one before it.');
      }
      if (handover.primaryGeneration !== primaryGeneration + 1n)
        refuse('ORIGIN', 'handovers', 'A hand-over is missing.');
      await verify(handoverJws, handover.from, handover.epoch, 'handovers');
      primaryRegion = handover.to;
      primaryGeneration = handover.primaryGeneration;
    }
    return { birth, primaryRegion, primaryGeneration };
  });
}
