import { isReject, type Reject } from '../wire/refusal.js';
import { readOwnBirth, readOwnHandover, verifyLineage } from './key_certificate.js';
import type { IntentKey, MessageOf } from './message.js';
import { currentCertificates } from './sent_handover.js';
import type { Services } from './services.js';

/**
 * At a destination: a key as M1 offers it, with the certificates of M0 that this region has signed with an RSK which is not active any
 * more, signed again. The primary, which cannot do that itself, takes them from there.
 */
export async function offeredKey(
  services: Services,
  told: IntentKey,
  epoch: bigint,
): Promise<MessageOf<'offer'>['body']['keys'][number]> {
  const now = await currentCertificates(services, told, epoch);
  const certificates = [
    ...(now.birthCertificate === told.birthCertificate ? [] : [now.birthCertificate]),
    ...now.handovers.filter((compact, index) => compact !== told.handovers[index]),
  ];
  const { keyId, generation } = told;
  return { keyId, generation, ...(certificates.length > 0 && { certificates }) };
}

/**
 * At the primary: takes certificates that a destination has signed again. Each must say what the one before it says.
 *
 * @returns null where they were taken, or where there were none; else why nothing was
 */
export async function takeRenewed(
  services: Services,
  keyId: string,
  destination: string,
  renewed: readonly string[],
): Promise<Reject | null> {
  const { keys, journal, book, partition, verifySignature } = services;
  const kept = keys.exportable(keyId, destination);
  if (renewed.length === 0 || kept === undefined) return null;
  let { birthCertificate } = kept;
  const handovers = [...(kept.handovers ?? [])];
  for (const compact of renewed) {
    const handover = readOwnHandover(compact);
    if (isReject(handover)) birthCertificate = compact;
    else {
      // Out of bounds it makes a lineage that does not verify.
      handovers[Number(handover.handover.primaryGeneration) - 1] = compact;
    }
  }
  const check = { partition, keyId, keys: book, verifySignature };
  const before = journal.primary(keyId)?.path ?? [];
  const lineage = await verifyLineage({ ...check, birthCertificate, handovers });
  if (isReject(lineage)) return lineage;
  const [old, now] = [readOwnBirth(kept.birthCertificate), readOwnBirth(birthCertificate)];
  const isSame =
    !isReject(old) &&
    !isReject(now) &&
    old.birth.keySpec === now.birth.keySpec &&
    old.birth.keyUsage === now.birth.keyUsage &&
    old.birth.origin === now.birth.origin &&
    old.birth.originRegion === now.birth.originRegion &&
    lineage.path.join() === before.join();
  if (!isSame) {
    const detail = 'A certificate that was signed again says something else.';
    return { kind: 'reject', code: 'ORIGIN', field: 'keys.certs', detail };
  }
  journal.transaction(() => {
    keys.renewCertificates?.(keyId, { birthCertificate, handovers });
    // Whoever has refused the old ones gets the new ones.
    const others = kept.context.regions.filter((region) => region !== services.region && region !== destination);
    for (const region of others) services.begin(keyId, region);
  });
  return null;
}

/** At a primary, after a roster: asks those replicas that have to sign certificates of keys again; they do it with their next M1. */
export function askForRenewals(services: Services): void {
  const { handovers, keys, book, journal, region } = services;
  const epoch = book.current?.epoch;
  if (epoch === undefined) return;
  const asked = (handovers?.received() ?? []).flatMap(({ keyId, replicaRegions }) => {
    const [first] = replicaRegions;
    const key = first === undefined ? undefined : keys.exportable(keyId, first);
    if (key === undefined) return [];
    const birth = readOwnBirth(key.birthCertificate);
    const spent = [
      ...(isReject(birth) ? [] : [{ kid: birth.kid, signer: birth.birth.originRegion }]),
      ...(key.handovers ?? []).flatMap((compact) => {
        const own = readOwnHandover(compact);
        return isReject(own) ? [] : [{ kid: own.kid, signer: own.handover.from }];
      }),
    ].filter(({ kid }) => book.authorityKey(kid) === null && !book.isActive(kid, epoch));
    const signers = new Set(spent.map(({ signer }) => signer));
    return replicaRegions.filter((name) => name !== region && signers.has(name)).map((name) => [keyId, name] as const);
  });
  if (asked.length === 0) return;
  journal.transaction(() => {
    for (const [keyId, destination] of asked) services.begin(keyId, destination);
  });
}
