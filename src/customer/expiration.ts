import { CeremonyError } from './errors.js';
import { VALIDITY_MS_MAX } from './rules.js';

/** When imported material is to expire: never, at a time, or some time after the import. */
export type Expiration =
  | { readonly kind: 'never' }
  | { readonly kind: 'at'; readonly ms: number }
  | { readonly kind: 'after'; readonly durationMs: number };

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * Reads what a command says about expiry; it has to say one thing, and no more than one.
 *
 * @param said.validTo - ISO 8601 with a time zone, a date (its beginning in UTC), or seconds since 1970
 * @param said.validFor - a number and s, m, h or d
 * @throws {@link CeremonyError} `ERR_CEREMONY_RULE`
 */
export function parseExpiration(said: {
  readonly validTo?: string | undefined;
  readonly validFor?: string | undefined;
  readonly doesNotExpire?: boolean | undefined;
}): Expiration {
  const { validTo, validFor, doesNotExpire } = said;
  const count = [validTo !== undefined, validFor !== undefined, doesNotExpire === true].filter(Boolean).length;
  if (count !== 1) {
    throw rule(count === 0 ? 'Nothing says when the material expires' : 'The material cannot expire in two ways', {
      remedy: 'give one of --valid-to, --valid-for and --does-not-expire',
    });
  }
  if (validTo !== undefined) return { kind: 'at', ms: timeOf(validTo) };
  if (validFor === undefined) return { kind: 'never' };
  const [, digits, unit] = /^(\d{1,9})([smhd])$/u.exec(validFor) ?? [];
  const durationMs = Number(digits) * (UNIT_MS[unit ?? ''] ?? Number.NaN);
  if (!(durationMs > 0)) throw rule(`${validFor} is no duration`, { remedy: 'for example --valid-for 30d' });
  if (durationMs > VALIDITY_MS_MAX) throw tooFar();
  return { kind: 'after', durationMs };
}

/**
 * The members of `ImportKeyMaterial` that say when the material expires.
 *
 * @param issuedMs - the endpoint's time when it made the parameters: the only one that counts, and it may not be this machine's
 * @throws {@link CeremonyError} `ERR_CEREMONY_RULE` for a time that the endpoint is bound to refuse
 */
export function expirationMembers(
  expiration: Expiration,
  issuedMs: number | null,
): { readonly ExpirationModel: string; readonly ValidTo?: number } {
  if (expiration.kind === 'never') return { ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' };
  const ms = expiration.kind === 'at' ? expiration.ms : (issuedMs ?? Date.now()) + expiration.durationMs;
  if (issuedMs !== null) {
    if (ms <= issuedMs) throw rule(`${new Date(ms).toISOString()} is in the past of the endpoint`);
    // The import is made within a day of the parameters.
    if (ms > issuedMs + VALIDITY_MS_MAX + 24 * 3_600_000) throw tooFar();
  }
  return { ExpirationModel: 'KEY_MATERIAL_EXPIRES', ValidTo: Math.floor(ms / 1000) };
}

function timeOf(text: string): number {
  if (/^\d{9,11}$/u.test(text)) return Number(text) * 1000;
  const hasZone = /^\d{4}-\d{2}-\d{2}(T[\d:.]+(Z|[+-]\d{2}:\d{2}))?$/u.test(text);
  const ms = hasZone ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) {
    throw rule(`${text} is no time`, { remedy: 'for example --valid-to 2027-03-01T12:00:00Z' });
  }
  return ms;
}

function tooFar(): CeremonyError {
  return rule('Material expires within 365 days or not at all');
}

function rule(message: string, fields: { readonly remedy?: string } = {}): CeremonyError {
  return new CeremonyError('ERR_CEREMONY_RULE', message, fields);
}
