import { isReject } from '../wire/refusal.js';
import { decodeContext } from './context_codec.js';
import { finishHandover, handoverTo, type Handover } from './handover.js';
import type { SourceSession } from './journal.js';
import { issueBirthCertificate, issueHandover, readOwnBirth, readOwnHandover } from './key_certificate.js';
import type { ExportableKey } from './ports.js';
import type { Services } from './services.js';

type SentKey = SourceSession['keys'][number];

/** What became of a hand-over with the end of its session: over, or still for the destination to decide. */
export type HandoverEnd = 'finished' | 'undone' | 'open';

/** Whether a session is for the hand-over of this key. */
export function carriesHandover({ context }: SentKey): boolean {
  const decoded = decodeContext(context);
  return !isReject(decoded) && decoded.handover !== undefined;
}

/** The hand-over that a session is for. A session that was under way when the hand-over was asked for is an ordinary one. */
function handoverOf(services: Services, row: SourceSession, key: SentKey): Handover | undefined {
  const handover = handoverTo(services, key.keyId, row.destination);
  return handover !== undefined && carriesHandover(key) ? handover : undefined;
}

/** Committed with `SENT`: from here on the destination alone decides. */
export function noteReleased(services: Services, row: SourceSession): void {
  for (const key of row.keys) {
    const handover = handoverOf(services, row, key);
    if (handover !== undefined) services.handovers?.put({ ...handover, isReleased: true });
  }
}

/**
 * Committed with the end of a session.
 *
 * @param isRefusedTransfer - the destination itself has ended the session in which it was sent the certificate: it will not install it
 * @returns undefined for a session that hands nothing over
 */
export function endHandover(
  services: Services,
  row: SourceSession,
  key: SentKey,
  end: { readonly commit: 'confirmed' | 'failed' | 'again'; readonly isRefusedTransfer: boolean },
): HandoverEnd | undefined {
  const handover = handoverOf(services, row, key);
  if (handover === undefined) return undefined;
  if (end.commit === 'confirmed' || (row.code === 'HANDED_OVER' && handover.isReleased)) {
    finishHandover(services, handover);
    return 'finished';
  }
  const isReleased = handover.isReleased && !end.isRefusedTransfer;
  if (end.commit === 'failed' && !isReleased) {
    services.handovers?.undone(key.keyId, row.code ?? 'ABORTED');
    return 'undone';
  }
  services.handovers?.put({ ...handover, isReleased });
  return 'open';
}

/** The key as it is sent to its next primary: the metadata names that region, with the certificate that makes it so. */
export async function withHandover(
  services: Services,
  handover: Handover,
  key: ExportableKey,
  epoch: bigint,
): Promise<{ readonly key: ExportableKey; readonly handover: Handover & { readonly certificate: string } }> {
  const { destination, keyId, primaryGeneration } = handover;
  const content = { partition: services.partition, keyId, from: services.region, to: destination, primaryGeneration };
  const kept = handover.certificate === null ? null : readOwnHandover(handover.certificate);
  const isCurrent = kept !== null && !isReject(kept) && services.book.isActive(kept.kid, epoch);
  const certificate =
    isCurrent && handover.certificate !== null
      ? handover.certificate
      : await issueHandover({ ...content, epoch }, services.channel.signingKid(epoch), signer(services));
  const others = key.context.regions.filter((region) => region !== destination);
  return {
    key: {
      ...key,
      context: {
        ...key.context,
        primaryRegion: destination,
        regions: [destination, ...others],
        handover: certificate,
      },
    },
    handover: { ...handover, certificate },
  };
}

/**
 * Certificates of a key as they are sent: those of this region whose RSK is not active any more are signed again, because regions
 * that join later know only newer keys.
 */
export async function currentCertificates(
  services: Services,
  key: Pick<ExportableKey, 'birthCertificate' | 'handovers'>,
  epoch: bigint,
): Promise<{ readonly birthCertificate: string; readonly handovers: readonly string[] }> {
  const { book, channel, region } = services;
  let { birthCertificate } = key;
  // A chosen key id is certified by the authority, whose key does not go out of use with a roster.
  const isSpent = (kid: string): boolean => book.authorityKey(kid) === null && !book.isActive(kid, epoch);
  const birth = readOwnBirth(birthCertificate);
  if (!isReject(birth) && birth.birth.originRegion === region && isSpent(birth.kid)) {
    const content = { ...birth.birth, createdEpoch: epoch };
    ({ birthCertificate } = await issueBirthCertificate(content, channel.signingKid(epoch), signer(services)));
  }
  const handovers: string[] = [];
  for (const compact of key.handovers ?? []) {
    const own = readOwnHandover(compact);
    const isOld = !isReject(own) && own.handover.from === region && !book.isActive(own.kid, epoch);
    handovers.push(
      isOld ? await issueHandover({ ...own.handover, epoch }, channel.signingKid(epoch), signer(services)) : compact,
    );
  }
  return { birthCertificate, handovers };
}

function signer(services: Services): (kid: string, octets: Uint8Array) => Promise<Uint8Array> {
  const hsm = services.hsm(null);
  return (kid, octets) => hsm.sign(kid, octets);
}
