import { LIMITS } from '../../limits.js';
import { AwsError } from './exceptions.js';
import { invalidSignature } from './signature_claim.js';

const BASIC_TIME = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/;
const SHOWN_LENGTH_MAX = 64;

/** When a request says that it was signed. */
export interface RequestTime {
  /** The header's value. */
  readonly given: string;
  /** The same as the string to sign has it: `YYYYMMDDTHHMMSSZ`. */
  readonly text: string;
  readonly ms: number;
}

/**
 * Reads the time of a request: `x-amz-date` in the basic format, else `date` in that of HTTP or the basic one.
 *
 * @throws {@link AwsError} `IncompleteSignatureException`
 */
export function parseRequestTime(amzDate: string | undefined, date: string | undefined): RequestTime {
  const given = amzDate ?? date;
  if (given === undefined) {
    throw new AwsError(
      'IncompleteSignatureException',
      "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
    );
  }
  const isBasic = BASIC_TIME.test(given);
  const iso = isBasic ? given.replace(BASIC_TIME, '$1-$2-$3T$4:$5:$6Z') : given;
  const ms = isBasic || amzDate === undefined ? Date.parse(iso) : Number.NaN;
  if (!Number.isFinite(ms)) {
    throw new AwsError(
      'IncompleteSignatureException',
      `Date must be in ISO-8601 'basic format'. Got '${given.slice(0, SHOWN_LENGTH_MAX)}'. See http://en.wikipedia.org/wiki/ISO_8601`,
    );
  }
  return { given, text: isBasic ? given : basicTime(ms), ms };
}

/**
 * Checks that a request was signed now, give or take what clocks are apart.
 *
 * @param nowMs - milliseconds since the epoch
 * @throws {@link AwsError} `InvalidSignatureException`
 * @source AWS general reference; texts of the AWS front end
 */
export function requireFresh(time: RequestTime, nowMs: number): void {
  const skewMs = LIMITS.awsSignatureSkewMs;
  const minutes = skewMs / 60_000;
  if (time.ms < nowMs - skewMs) {
    throw invalidSignature(
      `Signature expired: ${time.text} is now earlier than ${basicTime(nowMs - skewMs)} (${basicTime(nowMs)} - ${minutes} min.)`,
    );
  }
  if (time.ms > nowMs + skewMs) {
    throw invalidSignature(
      `Signature not yet current: ${time.text} is still later than ${basicTime(nowMs + skewMs)} (${basicTime(nowMs)} + ${minutes} min.)`,
    );
  }
}

/** `YYYYMMDDTHHMMSSZ`. */
function basicTime(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:]|\.\d{3}/g, '');
}
