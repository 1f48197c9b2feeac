import { ReplicationError } from './errors.js';
import { issueBirthCertificate, verifyLineage } from './key_certificate.js';
import { REPLICATION_LIMITS as LIMITS } from './limits.js';
import { BIRTH_NONCE_OCTETS } from '../wire/names.js';
import { isReject } from '../wire/refusal.js';
import type { Services } from './services.js';

/**
 * Makes a new multi-Region key's identity, with a nonce of the token and signed in it.
 *
 * @throws {@link ReplicationError} `ERR_REPL_NO_ROSTER`, `ERR_REPL_NO_ACTIVE_RSK`; `HsmError`
 */
export async function bearKey(
  services: Services,
  args: { readonly keySpec: string; readonly keyUsage: string; readonly origin: string },
): Promise<{ readonly keyId: string; readonly birthCertificate: string }> {
  const { book, channel, region, partition } = services;
  const epoch = book.current?.epoch;
  if (epoch === undefined) throw new ReplicationError('ERR_REPL_NO_ROSTER', `region ${region} has no roster yet`);
  const hsm = services.hsm(null);
  const birthNonce = await hsm.random(BIRTH_NONCE_OCTETS);
  const birth = { partition, originRegion: region, birthNonce, ...args, createdEpoch: epoch };
  return issueBirthCertificate(birth, channel.signingKid(epoch), (kid, octets) => hsm.sign(kid, octets));
}

/** An identity that a new key is to have, and what certifies it. */
export interface ChosenBirth {
  readonly keyId: string;
  readonly keySpec: string;
  readonly keyUsage: string;
  readonly origin: string;
  /** Compact JWS of the partition authority. */
  readonly birthCertificate: string;
}

/** Why a chosen key id cannot be one of a key that is born here, for people; undefined where the partition authority says it is. */
export async function refusalOfBirth(services: Services, chosen: ChosenBirth): Promise<string | undefined> {
  const { book, partition, region, verifySignature } = services;
  const { keyId, birthCertificate } = chosen;
  const check = { partition, keyId, birthCertificate, handovers: [], keys: book };
  const lineage = await verifyLineage(verifySignature === undefined ? check : { ...check, verifySignature });
  if (isReject(lineage)) return `${lineage.code}: ${lineage.detail}`;
  const { birth } = lineage;
  if (birth.originRegion !== region) return `the key is certified to be born in ${birth.originRegion}`;
  const other = (['keySpec', 'keyUsage', 'origin'] as const).find((member) => birth[member] !== chosen[member]);
  return other === undefined ? undefined : `the key is certified with the ${other} ${birth[other]}`;
}

/** Why a key cannot be handed over, for people; undefined where it can. */
export function refusalOfHandover({ journal }: Services, keyId: string): string | undefined {
  const known = journal.primary(keyId);
  if (known?.frozen === true) return 'the key is frozen: two regions were named its next primary';
  if ((known?.path.length ?? 0) >= LIMITS.handoversMax)
    return `the primary Region of a key can be changed ${LIMITS.handoversMax} times`;
  return undefined;
}
