import { toBase64Url } from '../bytes.js';
import { metadataHash } from '../wire/fixed_info.js';
import { refusalOfPoint } from '../wire/p384.js';
import { accepted, isReject, refuse, refusing, refusingLater, type Reject } from '../wire/refusal.js';
import { chooseSuite, type ReplicationSuite } from '../wire/suite.js';
import { decodeContext } from './context_codec.js';
import { sessionFloor } from './export_job.js';
import { followHandover, verifyLineage, type Lineage } from './key_certificate.js';
import type { KeyMetadataContext } from './key_context.js';
import type { IntentKey, MessageOf } from './message.js';
import type { AgreementKey } from './replication_hsm.js';
import type { CertificateKeys } from './roster.js';
import type { Services } from './services.js';
import { succeed } from './succession.js';

/** The first octets of the materials already here must be those that are announced: a key's past never changes. */
function extendsHistory(announced: readonly string[], held: readonly string[]): boolean {
  return held.length <= announced.length && held.every((id, index) => id === announced[index]);
}

async function certifiedLineage(services: Services, key: IntentKey): Promise<Lineage> {
  const { book, partition, verifySignature } = services;
  const { keyId, birthCertificate, handovers } = key;
  const args = { partition, keyId, birthCertificate, handovers, verifySignature };
  const lineage = await verifyLineage({ ...args, keys: book });
  if (!isReject(lineage)) return lineage;
  if (lineage.code !== 'KID_STATE') return accepted<Lineage>(lineage);
  // What this region has signed with a key that was revoked since, it knows itself; others are told by certificates that it signs again.
  const remembered = await verifyLineage({ ...args, keys: withOwnKeys(services) });
  if (isReject(remembered)) return accepted<Lineage>(lineage);
  const known = services.journal.primary(keyId);
  return known !== undefined && succeed(known, remembered).kind === 'same' ? remembered : accepted<Lineage>(lineage);
}

/** Signing keys of certificates, and all that this region has ever had. */
function withOwnKeys({ book, region }: Services): CertificateKeys {
  return {
    authorityKey: (kid) => book.authorityKey(kid),
    certificateKey: (kid, signer, epoch, field) => {
      const own = signer === region ? book.key(kid) : undefined;
      return own?.region === region ? own.key : book.certificateKey(kid, signer, epoch, field);
    },
  };
}

/** Whether a replica was deleted here, and an announcement is about that one, of whose end its source has not heard. */
export function wasDeletedHere({ create }: IntentKey, standing: ReturnType<Services['keys']['standing']>): boolean {
  return create !== true && standing.wasDeleted === true;
}

/**
 * Refuses a primary that is none any more. Two hand-overs of one generation that name different regions freeze the key here.
 *
 * @source docs/PROTOCOL.md section 2.2
 */
function checkSuccession({ journal }: Services, keyId: string, lineage: Lineage): void {
  const known = journal.primary(keyId);
  if (known?.frozen === true) refuse('FORK', 'keys.handovers', 'The key is frozen: its hand-overs have forked.');
  const succession = succeed(known, lineage);
  if (succession.kind === 'older') {
    refuse('ORIGIN', 'keys.handovers', 'The key was handed over to another region since.');
  }
  if (succession.kind !== 'fork') return;
  const { by, regions } = succession;
  if (known !== undefined) journal.transaction(() => journal.putPrimary(keyId, { ...known, frozen: true }));
  const detail = `Region ${by} has handed the key over to ${regions.join(' and to ')}: it is frozen here.`;
  refuse('FORK', 'keys.handovers', detail);
}

/** A session that hands the key over is for a replica that can become the primary. */
function checkHandoverIntent(
  services: Services,
  key: IntentKey,
  lineage: Lineage,
  standing: ReturnType<Services['keys']['standing']>,
): void {
  if (key.nextPrimary === undefined) return;
  const { journal, region, handovers } = services;
  if (key.nextPrimary !== region) refuse('DST', 'keys.nextPrimary', 'A hand-over to another region.');
  const known = journal.primary(key.keyId);
  if (known?.frozen !== true && known?.path[lineage.path.length] === region) {
    refuse('HANDED_OVER', 'keys.nextPrimary', 'This region has taken the key over already.');
  }
  if (standing.state !== 'replica' || handovers?.canReceive(key.keyId) !== true) {
    refuse('NOT_ENABLED', 'keys.nextPrimary', 'The replica here is not enabled.');
  }
}

function checkKey(services: Services, intent: MessageOf<'intent'>, key: IntentKey, lineage: Lineage): void {
  const { journal, keys } = services;
  const source = intent.envelope.issuer;
  if (lineage.primaryRegion !== source)
    refuse('ORIGIN', 'keys.keyId', `The key is ${lineage.primaryRegion}'s to send.`);
  const standing = keys.standing(key.keyId, source, { isSuccessor: lineage.primaryGeneration > 0n });
  checkHandoverIntent(services, key, lineage, standing);
  checkSuccession(services, key.keyId, lineage);
  if (standing.state === 'conflict') refuse('CONFLICT', 'keys.keyId', 'The key id is used here by another key.');
  if (wasDeletedHere(key, standing)) {
    // The same message is never good again, however long the refusal is remembered.
    journal.transaction(() => journal.raiseHighWater(key.keyId, source, key.generation));
    refuse('REPLICA_DELETED', 'keys.keyId', 'The replica was deleted in this region.');
  }
  if (key.generation <= journal.highWater(key.keyId, source)) {
    refuse('GEN', 'keys.gen', `Generation ${key.generation} is not newer than what was seen.`);
  }
  if (!extendsHistory(key.materialIds, standing.materialIds)) {
    refuse('GEN', 'keys.materialIds', 'The announced materials are older than those that are here.');
  }
}

function checkEpoch(services: Services, intent: MessageOf<'intent'>): void {
  if (intent.envelope.epoch !== services.book.current?.epoch)
    refuse('EPOCH_STALE', 'epoch', 'A new session needs the newest roster.');
}

/**
 * Checks an intent, before the token is asked for anything.
 *
 * @returns the lineage of each key, or a refusal `EPOCH_STALE`, `FLOOR`, `ORIGIN`, `GEN`, `CONFLICT`, `FORK` or one of a certificate
 */
export function checkIntent(services: Services, intent: MessageOf<'intent'>): Promise<readonly Lineage[] | Reject> {
  return refusingLater(async () => {
    const { book, region } = services;
    const { body, envelope } = intent;
    checkEpoch(services, intent);
    const floor = sessionFloor(book, envelope.epoch, envelope.issuer, region);
    if (floor === undefined || body.floor !== floor)
      refuse('FLOOR', 'policyFloor', 'Not the floor that the roster says.');
    accepted(chooseSuite(body.suites, services.hsm(null).suites, floor));
    const lineages: Lineage[] = [];
    for (const key of body.keys) {
      const lineage = await certifiedLineage(services, key);
      checkKey(services, intent, key, lineage);
      lineages.push(lineage);
    }
    // A roster may have come while certificates were verified, and a signing key may be revoked in it.
    checkEpoch(services, intent);
    return lineages;
  });
}

/** An offer whose RAKB is in the token; lost with the process. */
export interface OpenOffer {
  readonly rakb: AgreementKey;
  readonly intent: MessageOf<'intent'>;
  readonly lineages: readonly Lineage[];
  /** Signing inputs of M0 and M1. */
  readonly intentInput: string;
  readonly offerInput: string;
  /** Kid that signed M1. */
  readonly kid: string;
  readonly expiresMs: number;
}

/** What a transfer was found to carry. */
export interface CheckedTransfer {
  readonly suite: ReplicationSuite;
  readonly contexts: readonly KeyMetadataContext[];
}

/**
 * Checks a transfer against its session, before the token is asked for anything.
 *
 * @returns the suite and metadata, or a refusal `EPOCH`, `CONTEXT`, `SUITE_CHOICE`, `POINT`, `SELF_POINT`, `DATA_SUITE`, `UNWRAP` …
 */
export function checkTransfer(
  services: Services,
  offer: OpenOffer,
  transfer: MessageOf<'transfer'>,
): CheckedTransfer | Reject {
  return refusing(() => {
    const { body, envelope } = transfer;
    const { intent } = offer;
    const hsm = services.hsm(null);
    if (envelope.epoch !== intent.envelope.epoch) refuse('EPOCH', 'epoch', 'Another roster epoch than the session.');
    const floor = sessionFloor(services.book, envelope.epoch, envelope.issuer, services.region);
    if (floor === undefined) return refuse('EPOCH', 'epoch', 'A region is not in the roster of the session.');
    if (accepted(chooseSuite(intent.body.suites, hsm.suites, floor)) !== body.suite) {
      refuse('SUITE_CHOICE', 'suite', 'Not the best suite that both regions have.');
    }
    const refusal = refusalOfPoint(body.point, 'raka.pt', offer.rakb.point);
    if (refusal !== null) refuse(refusal.code, refusal.field, refusal.detail);
    if (body.keys.length !== intent.body.keys.length) refuse('CONTEXT', 'keys', 'Not the keys that were announced.');
    const contexts = body.keys.map((key, index) => {
      const announced = intent.body.keys[index];
      const birth = offer.lineages[index]?.birth;
      if (
        announced === undefined ||
        birth === undefined ||
        key.keyId !== announced.keyId ||
        key.generation !== announced.generation
      ) {
        return refuse('CONTEXT', 'keys', 'Not the keys that were announced.');
      }
      if (toBase64Url(metadataHash(key.context)) !== announced.metadataHash) {
        refuse('CONTEXT', 'keys.ctx', 'Not the metadata that was announced.');
      }
      const context = accepted(decodeContext(key.context));
      const agrees =
        context.keyId === key.keyId &&
        context.primaryRegion === (announced.nextPrimary ?? envelope.issuer) &&
        (context.handover === undefined) === (announced.nextPrimary === undefined) &&
        context.keySpec === birth.keySpec &&
        context.keyUsage === birth.keyUsage &&
        context.origin === birth.origin &&
        context.regions.includes(services.region) &&
        (services.account === undefined || context.account === services.account);
      if (!agrees) refuse('CONTEXT', 'keys.ctx', 'The metadata is not what was certified, or not for this region.');
      const ids = announced.materialIds.join();
      const named = context.materials.map((material) => material.materialId).join();
      // Imported material does not travel: the regions share its identity only.
      const wrapped = context.origin === 'EXTERNAL' ? '' : ids;
      if (named !== ids || key.wrapped.map((material) => material.materialId).join() !== wrapped) {
        refuse('CONTEXT', 'keys.wrapped', 'Not the materials that were announced.');
      }
      if (context.dataSuite !== null && !hsm.dataSuites.includes(context.dataSuite)) {
        refuse(
          'DATA_SUITE',
          'keys.ctx.dataSuite',
          `The token of this region cannot make message keys by ${context.dataSuite}.`,
        );
      }
      return context;
    });
    return { suite: body.suite, contexts };
  });
}

/**
 * Verifies the certificates of a transfer that hands keys over.
 *
 * @returns the lineage of each key with its hand-over, undefined for one that is not handed over; or a refusal `ORIGIN`, `FORK` …
 */
export function checkHandovers(
  services: Services,
  offer: OpenOffer,
  contexts: readonly KeyMetadataContext[],
): Promise<readonly (Lineage | undefined)[] | Reject> {
  return refusingLater(async () => {
    const { book, partition, verifySignature, region } = services;
    const lineages: (Lineage | undefined)[] = [];
    for (const [index, { keyId, handover }] of contexts.entries()) {
      const before = offer.lineages[index];
      if (handover === undefined || before === undefined) {
        lineages.push(undefined);
        continue;
      }
      const check = { partition, keyId, keys: book, verifySignature };
      const lineage = accepted(await followHandover(check, before, handover));
      if (lineage.primaryRegion !== region) refuse('ORIGIN', 'keys.ctx.handover', 'A hand-over to another region.');
      checkSuccession(services, keyId, lineage);
      lineages.push(lineage);
    }
    return lineages;
  });
}
