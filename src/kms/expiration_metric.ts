import type { KmsRegion } from './region.js';

/** Name of the metric of imported material that expires, as AWS KMS publishes it in the namespace `AWS/KMS`. */
export const EXPIRATION_METRIC = 'SecondsUntilKeyMaterialExpiration';

/** One key's value of {@link EXPIRATION_METRIC}. */
export interface ExpirationDatum {
  /** Key id without ARN. */
  readonly keyId: string;
  /** Seconds until the earliest of the key's materials expires, 0 or more. */
  readonly seconds: number;
}

/**
 * The time that is left to each key whose imported material expires. Keys whose material is gone, or does not expire, have none.
 *
 * @source AWS KMS Developer Guide, "Monitor KMS keys with Amazon CloudWatch"
 */
export function secondsUntilExpiration({
  materials,
  clock,
}: Pick<KmsRegion, 'materials' | 'clock'>): readonly ExpirationDatum[] {
  const nowMs = clock.nowMs();
  return materials
    .expiringKeys()
    .map(({ keyId, validToMs }) => ({ keyId, seconds: Math.max(0, Math.floor((validToMs - nowMs) / 1000)) }));
}
