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
  /** Regions that the hand-overs have named, in order; the last one is the primary. */
  readonly path: readonly string[];
}

/** What a primary says when it names the next one. */
export interface HandoverCertificate {
  readonly partition: string;
  readonly keyId: string;
  readonly from: string;
  readonly to: string;
  readonly primaryGeneration: bigint;
  readonly epoch: bigint;
}

type Sign = (kid: string, octets: Uint8Array) => Promise<Uint8Array>;

/** Makes a birth certificate; the key id follows from the nonce. */
export async function issueBirthCertificate(
  birth: Omit<BirthCertificate, 'keyId'>,
  kid: string,
  sign: Sign,
): Promise<{ readonly keyId: string; readonly birthCertificate: string }> {
  const keyId = multiRegionKeyId(birth);
  return { keyId, birthCertificate: await signBirth({ ...birth, keyId }, kid, sign) };
}

/**
 * Makes the certificate of a key id that somebody has chosen: it does not follow from the nonce, and therefore nobody but the partition
 * authority may say whose it is.
 *
 * @param kid - of the authority's key
 */
export function issueChosenBirthCertificate(birth: BirthCertificate, kid: string, sign: Sign): Promise<string> {
  return signBirth(birth, kid, sign);
}

function signBirth(birth: BirthCertificate, kid: string, sign: Sign): Promise<string> {
  const payload = {
    v: 1,
    t: BIRTH_TYP,
    part: birth.partition,
    region: birth.originRegion,
    nonce: toBase64Url(birth.birthNonce),
    keyId: birth.keyId,
    keySpec: birth.keySpec,
    keyUsage: birth.keyUsage,
    origin: birth.origin,
    epoch: birth.createdEpoch.toString(),
  };
  return signJws({ kid, typ: BIRTH_TYP }, payload, sign);
}

/** Makes a certificate by which a primary Region names the next one. */
export function issueHandover(handover: HandoverCertificate, kid: string, sign: Sign): Promise<string> {
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

function readHandover(jws: UnverifiedJws): HandoverCertificate {
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

/** Reads a hand-over certificate of this region's own making, without verifying it again. */
export function readOwnHandover(
  compact: string,
): { readonly handover: HandoverCertificate; readonly kid: string } | Reject {
  return refusing(() => {
    const jws = openCertificate(compact, HANDOVER_TYP, 'handovers');
    return { handover: readHandover(jws), kid: jws.kid };
  });
}

/** With what a certificate is verified. */
export interface CertificateCheck {
  readonly partition: string;
  readonly keyId: string;
  /** Signing keys that certificates may be signed with. */
  readonly keys: CertificateKeys;
  readonly verifySignature?: SignatureCheck;
}

async function verifyCertificate(
  check: CertificateCheck,
  jws: UnverifiedJws,
  claim: { readonly region: string; readonly epoch: bigint; readonly field: string },
): Promise<void> {
  const key = accepted(check.keys.certificateKey(jws.kid, claim.region, claim.epoch, claim.field));
  const refusal = await checkSignature(jws, key, check.verifySignature);
  if (refusal !== null) refuse(refusal.code, claim.field, refusal.detail);
}

async function follow(check: CertificateCheck, lineage: Lineage, compact: string): Promise<Lineage> {
  const jws = openCertificate(compact, HANDOVER_TYP, 'handovers');
  const handover = readHandover(jws);
  const { from, to, primaryGeneration, epoch } = handover;
  if (handover.keyId !== check.keyId || handover.partition !== check.partition || from !== lineage.primaryRegion) {
    refuse('ORIGIN', 'handovers', 'A hand-over does not follow the one before it.');
  }
  if (primaryGeneration !== lineage.primaryGeneration + 1n) refuse('ORIGIN', 'handovers', 'A hand-over is missing.');
  await verifyCertificate(check, jws, { region: from, epoch, field: 'handovers' });
  return { birth: lineage.birth, primaryRegion: to, primaryGeneration, path: [...lineage.path, to] };
}

/**
 * Verifies one more hand-over of a key.
 *
 * @returns the lineage with it, or a refusal as of {@link verifyLineage}
 */
export function followHandover(check: CertificateCheck, lineage: Lineage, compact: string): Promise<Lineage | Reject> {
  return refusingLater(() => follow(check, lineage, compact));
}

/**
 * Verifies who may send a key: its birth certificate, its self-certifying id, and every hand-over since. An id that does not certify
 * itself is taken from the partition authority alone.
 *
 * @returns the lineage, or a refusal: `TYP`, `KID_STATE`, `KID_REGION`, `SIG_INVALID`, `PARTITION`, `ORIGIN` …
 */
export function verifyLineage(
  args: CertificateCheck & { readonly birthCertificate: string; readonly handovers: readonly string[] },
): Promise<Lineage | Reject> {
  return refusingLater(async () => {
    const jws = openCertificate(args.birthCertificate, BIRTH_TYP, 'birthCert');
    const birth = readBirth(jws);
    const authority = args.keys.authorityKey(jws.kid);
    if (authority === null) {
      await verifyCertificate(args, jws, { region: birth.originRegion, epoch: birth.createdEpoch, field: 'birthCert' });
    } else {
      const refusal = await checkSignature(jws, authority, args.verifySignature);
      if (refusal !== null) refuse(refusal.code, 'birthCert', refusal.detail);
    }
    if (birth.partition !== args.partition)
      refuse('PARTITION', 'birthCert.part', 'The key was born in another partition.');
    if (birth.keyId !== args.keyId) refuse('ORIGIN', 'birthCert.keyId', 'The certificate is of another key.');
    if (authority === null && multiRegionKeyId(birth) !== birth.keyId)
      refuse('ORIGIN', 'birthCert.keyId', 'The key id does not follow from its origin.');
    let lineage: Lineage = { birth, primaryRegion: birth.originRegion, primaryGeneration: 0n, path: [] };
    for (const compact of args.handovers) lineage = await follow(args, lineage, compact);
    return lineage;
  });
}
