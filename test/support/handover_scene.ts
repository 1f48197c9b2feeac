import { updatePrimaryRegion } from '../../src/kms/operations/update_primary_region.js';
import { issueHandover, type HandoverCertificate } from '../../src/replication/key_certificate.js';
import { recordOf } from './attack.js';
import { PARTITION, type AttackLab, type LabRegion } from './attack_lab.js';
import { partsOf, put, resigned, type Signer } from './forgery.js';
import type { SentMessage } from './hostile_network.js';

/** Asks for a hand-over; resolves with the answer, or what was thrown. */
export function askHandover(from: LabRegion, keyId: string, to: LabRegion): Promise<unknown> {
  const asked = updatePrimaryRegion(from.call, { KeyId: keyId, PrimaryRegion: to.name });
  return asked.catch((error: unknown) => error);
}

/** Hands a key over, and delivers all that this brings. */
export async function handOver(lab: AttackLab, from: LabRegion, keyId: string, to: LabRegion): Promise<void> {
  const asked = askHandover(from, keyId, to);
  await lab.run();
  const answer = await asked;
  if (answer instanceof Error) throw answer;
}

/** How a region sees a key: `PRIMARY eu-west-1 Enabled`. */
export function placeOf(region: LabRegion, keyId: string): string {
  const record = recordOf(region, keyId);
  return `${record?.multiRegion?.type} ${record?.multiRegion?.primaryRegion} ${record?.state}`;
}

/** A certificate as whoever has the signer's key makes it. */
export function forgeHandover(
  signer: Signer,
  content: Partial<HandoverCertificate> & Pick<HandoverCertificate, 'keyId' | 'from' | 'to'>,
): Promise<string> {
  return issueHandover(
    { partition: PARTITION, primaryGeneration: 1n, epoch: 1n, ...content },
    signer.kid,
    (_kid, octets) => signer.sign(octets),
  );
}

/** An intent with other hand-overs, signed by a region in its own name. */
export function announceWith(
  lab: AttackLab,
  by: LabRegion,
  intent: SentMessage,
  change: { readonly to: LabRegion; readonly handovers: readonly string[]; readonly generation?: string },
): Promise<Buffer> {
  return resigned(intent.octets, lab.signer(by), (payload) => {
    put(payload, 'iss', by.name);
    put(payload, 'dst', change.to.name);
    put(payload, 'keys.0.handovers', change.handovers);
    put(payload, 'keys.0.gen', change.generation ?? '90');
    put(payload, 'keys.0.nextPrimary', undefined);
  });
}

/** The hand-overs that an intent carries. */
export function handoversIn(intent: SentMessage): readonly string[] {
  return (partsOf(intent.octets).payload['keys'] as { readonly handovers: readonly string[] }[])[0]?.handovers ?? [];
}

/** The newest intent that a region has sent to another. */
export function lastIntent(lab: AttackLab, from: LabRegion, to: LabRegion): SentMessage {
  const found = lab.network.seen.findLast(
    (message) => message.label === 'M0' && message.from === from.name && message.to === to.name,
  );
  if (found === undefined) throw new Error(`${from.name} has sent no intent to ${to.name}`);
  return found;
}
