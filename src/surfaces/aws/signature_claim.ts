import { LIMITS } from '../../limits.js';
import { AwsError } from './exceptions.js';

/** The only algorithm that requests are signed with here. */
export const ALGORITHM = 'AWS4-HMAC-SHA256';
/** Last part of every credential scope. */
export const TERMINATOR = 'aws4_request';

const CLAIM =
  /^AWS4-HMAC-SHA256 +Credential=([^\s,/]+)\/(\d{8})\/([^\s,/]+)\/([^\s,/]+)\/([^\s,/]+) *, *SignedHeaders=([a-z0-9;-]+) *, *Signature=$/;
const PARAMETERS = ['Credential', 'Signature', 'SignedHeaders'] as const;
const SCOPE_ELEMENTS = 5;
const SIGNATURE_DIGITS = 64;
const SIGNATURE = /^[0-9a-f]{64}$/;
const SHOWN_LENGTH_MAX = 256;

/** What an `Authorization` header says besides its signature; nothing of it is believed yet. */
export interface SignatureClaim {
  readonly accessKeyId: string;
  /** `YYYYMMDD`. */
  readonly date: string;
  readonly region: string;
  readonly service: string;
  readonly terminator: string;
  /** Names in lower case, sorted, joined by semicolons. */
  readonly signedHeaders: string;
  readonly signedNames: readonly string[];
}

/**
 * Splits an `Authorization` header into its claim, which is the same in all requests of a client on one day, and its signature.
 *
 * @returns the claim's text for {@link parseClaim}, and 64 hexadecimal digits
 * @throws {@link AwsError} `MissingAuthenticationTokenException`; `IncompleteSignatureException`
 */
export function splitAuthorization(authorization: string | undefined): {
  readonly claim: string;
  readonly signature: string;
} {
  if (authorization === undefined || authorization === '') throw missing();
  const at = Math.max(authorization.length - SIGNATURE_DIGITS, 0);
  const signature = authorization.slice(at);
  if (!SIGNATURE.test(signature)) throw incomplete(authorization);
  return { claim: authorization.slice(0, at), signature };
}

/**
 * Reads the claim of an `Authorization` header: everything up to the signature.
 *
 * @throws {@link AwsError} `IncompleteSignatureException`; `InvalidSignatureException` for signed headers that cannot be
 */
export function parseClaim(text: string): SignatureClaim {
  const parts = CLAIM.exec(text);
  if (parts === null) throw incomplete(text);
  const [, accessKeyId = '', date = '', region = '', service = '', terminator = '', signedHeaders = ''] = parts;
  return {
    accessKeyId,
    date,
    region,
    service,
    terminator,
    signedHeaders,
    signedNames: parseSignedHeaders(signedHeaders),
  };
}

/** The service that a request says it is for, without any check; undefined where it says none. */
export function claimedService(authorization: string | undefined): string | undefined {
  return authorization === undefined
    ? undefined
    : /Credential=[^\s,/]+\/\d{8}\/[^\s,/]+\/([^\s,/]+)\//.exec(authorization)?.[1];
}

/** The refusal of a request without signature. */
export function missing(): AwsError {
  return new AwsError('MissingAuthenticationTokenException', 'Missing Authentication Token');
}

function parseSignedHeaders(list: string): readonly string[] {
  const names = list.split(';');
  if (names.length > LIMITS.awsSignedHeadersMax) throw invalidSignature('Too many headers are signed.');
  if (names.some((name, index) => index > 0 && (names[index - 1] ?? '') >= name)) {
    throw invalidSignature('SignedHeaders are not sorted.');
  }
  if (!names.includes('host')) {
    throw invalidSignature("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.");
  }
  return names;
}

/** Says what an `Authorization` header lacks that cannot be read. @source texts of the AWS front end, as seen in public logs */
export function incomplete(authorization: string): AwsError {
  const algorithm = /^\S*/.exec(authorization)?.[0] ?? '';
  if (algorithm.startsWith('AWS4-') && algorithm !== ALGORITHM) {
    return refusal(`Unsupported AWS 'algorithm': '${algorithm.slice(0, SHOWN_LENGTH_MAX)}'.`);
  }
  const absent = PARAMETERS.filter((name) => !authorization.includes(`${name}=`));
  if (absent.length > 0) {
    return refusal(absent.map((name) => `Authorization header requires '${name}' parameter.`).join(' '));
  }
  const credential = /Credential=([^\s,]*)/.exec(authorization)?.[1] ?? '';
  if (credential.split('/').length !== SCOPE_ELEMENTS) {
    const shown = credential.slice(0, SHOWN_LENGTH_MAX);
    return refusal(
      `Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '${shown}'`,
    );
  }
  return refusal(`The Authorization header must be ${ALGORITHM} with Credential, SignedHeaders and Signature.`);
}

function refusal(message: string): AwsError {
  return new AwsError('IncompleteSignatureException', message);
}

/** A refusal of what was signed. */
export function invalidSignature(message: string): AwsError {
  return new AwsError('InvalidSignatureException', message);
}
