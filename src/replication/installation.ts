import { finishHandover } from './handover.js';
import type { OpenOffer } from './import_checks.js';
import type { Imported } from './import_job.js';
import type { DestinationSession } from './journal.js';
import type { Lineage } from './key_certificate.js';
import type { KeyMetadataContext } from './key_context.js';
import type { IntentKey } from './message.js';
import type { Services } from './services.js';
import { primaryOf, succeed } from './succession.js';

/** What is committed together with `INSTALLED`. */
export interface Installation {
  readonly imported: Imported;
  readonly contexts: readonly KeyMetadataContext[];
  readonly offer: OpenOffer;
  /** Lineages of the keys that are handed over, undefined for others. */
  readonly handedOver: readonly (Lineage | undefined)[];
}

/** Whether a later primary than the lineage's has been heard of since it was checked, or a fork. */
export function isOutdated({ journal }: Services, keyId: string, lineage: Lineage | undefined): boolean {
  if (lineage === undefined) return false;
  const known = journal.primary(keyId);
  const { kind } = succeed(known, lineage);
  return known?.frozen === true || kind === 'older' || kind === 'fork';
}

/** What an offer commits for one of its keys: its primary, its record, and that it may be handed over here. */
export function noteOffered(services: Services, source: string, key: IntentKey, lineage: Lineage): void {
  const { journal, keys, handovers } = services;
  const own = handovers?.underWay(key.keyId);
  // The primary that this region has named says that it is: what this region waits for has happened.
  if (own !== undefined && lineage.path[Number(own.primaryGeneration) - 1] === own.destination) {
    finishHandover(services, own);
  }
  journal.raiseHighWater(key.keyId, source, key.generation);
  journal.putPrimary(key.keyId, primaryOf(lineage));
  keys.announce({
    keyId: key.keyId,
    source,
    generation: key.generation,
    keySpec: lineage.birth.keySpec,
    keyUsage: lineage.birth.keyUsage,
    origin: lineage.birth.origin,
    birthCertificate: key.birthCertificate,
    materialIds: key.materialIds,
  });
  if (key.nextPrimary !== undefined) handovers?.receive(key.keyId);
}

/** The commit of what came: keys with their material; for a key that is handed over also that this region is its primary. */
export function commitInstallation(services: Services, row: DestinationSession, installation: Installation): void {
  const { journal, keys } = services;
  for (const [index, key] of row.keys.entries()) {
    const context = installation.contexts[index];
    const materials = installation.imported.materials[index];
    const announced = installation.offer.intent.body.keys[index];
    if (context === undefined || materials === undefined || announced === undefined) continue;
    const { handover } = context;
    keys.install({
      source: row.source,
      generation: key.generation,
      birthCertificate: announced.birthCertificate,
      handovers: handover === undefined ? announced.handovers : [...announced.handovers, handover],
      context,
      materials,
    });
    const lineage = installation.handedOver[index];
    if (lineage === undefined) continue;
    journal.putPrimary(key.keyId, primaryOf(lineage));
    // All other regions learn at once whose replicas they hold, the former primary too.
    for (const region of context.regions) if (region !== services.region) services.begin(key.keyId, region);
  }
}
