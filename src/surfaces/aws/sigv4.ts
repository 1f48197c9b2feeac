import { createHmac, createSecretKey, hash, timingSafeEqual, type KeyObject } from 'node:crypto';
import { LIMITS } from '../../limits.js';
import { AwsError } from './exceptions.js';

const ALGORITHM = 'AWS4-HMAC-SHA256';
const SERVICE = 'kms';
const TERMINATOR = 'aws4_request';

const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 +Credential=([^\s,/]+)\/(\d{8})\/([^\s,/]+)\/([^\s,/]+)\/([^\s,/]+) *, *SignedHeaders=([a-z0-9;-]+) *, *Signature=([0-9a-f]{64})$/;
const BASIC_TIME = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/;

/** A credential that requests can be signed with. */
export interface Credential {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** ARN of the principal that it speaks for. */
  readonly principal: string;
  /** For a temporary credential: the token that has to come with it. */
  readonly sessionToken?: string;
  /** When a temporary credential ends, milliseconds since the epoch. */
  readonly expiresMs?: number;
}

/** A request as it came, before anything of it is believed. */
export interface SignedRequest {
  readonly method: string;
  /** Names and values in turns, as they came: Node's `rawHeaders`. */
  readonly rawHeaders: readonly string[];
  readonly body: Uint8Array;
}

interface Parts {
  readonly accessKeyId: string;
  readonly date: string;
  readonly region: string;
  readonly service: string;
  readonly terminator: string;
  readonly signedHeaders: string;
  readonly signature: string;
}

/**
 * Verifies Signature Version 4 on requests to `/` without a query.
 *
 * @source AWS general reference, "Create a signed AWS API request"
 */
export class SignatureVerifier {
  readonly #region: string;
  readonly #credentials: ReadonlyMap<string, Credential>;
  readonly #nowMs: () => number;
  readonly #signingKeys = new Map<string, KeyObject>();

  /**
   * @param options.region - the region whose endpoint this is
   * @param options.nowMs - the time by which clients sign, milliseconds since the epoch: never a lab's shifted clock
   */
  constructor(options: {
    readonly region: string;
    readonly credentials: readonly Credential[];
    readonly nowMs: () => number;
  }) {
    this.#region = options.region;
    this.#credentials = new Map(options.credentials.map((credential) => [credential.accessKeyId, credential]));
    this.#nowMs = options.nowMs;
  }

  /**
   * Finds out who signed a request.
   *
   * @returns the credential
   * @throws {@link AwsError} one of the authentication errors; never says more than which part is wrong
   */
  verify(request: SignedRequest): Credential {
    const headers = collectHeaders(request.rawHeaders);
    const parts = parseAuthorization(headers.get('authorization'));
    const credential = this.#credentials.get(parts.accessKeyId);
    if (credential === undefined) throw unrecognized();
    this.#requireScope(parts);
    const signedNames = requireSignedHeaders(parts.signedHeaders, headers);
    const time = requireTime(headers);
    if (time.text.slice(0, 8) !== parts.date) {
      throw invalidSignature(
        'Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.',
      );
    }
    this.#requireFresh(time);
    const canonicalRequest = canonicalize(request, signedNames, headers);
    const scope = `${parts.date}/${this.#region}/${SERVICE}/${TERMINATOR}`;
    const stringToSign = `${ALGORITHM}\n${time.text}\n${scope}\n${hash('sha256', canonicalRequest, 'hex')}`;
    const expected = createHmac('sha256', this.#signingKey(credential, parts.date)).update(stringToSign).digest();
    if (!timingSafeEqual(expected, Buffer.from(parts.signature, 'hex'))) {
      throw invalidSignature(
        'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
      );
    }
    this.#requireSession(credential, headers.get('x-amz-security-token'));
    return credential;
  }

  #requireScope(parts: Parts): void {
    if (parts.region !== this.#region) {
      throw invalidSignature(`Credential should be scoped to a valid region, not '${parts.region}'.`);
    }
    if (parts.service !== SERVICE) {
      throw invalidSignature(`Credential should be scoped to correct service: '${SERVICE}'.`);
    }
    if (parts.terminator !== TERMINATOR) {
      throw invalidSignature(`Credential should be scoped with a valid terminator: '${TERMINATOR}'.`);
    }
  }

  #requireFresh(time: { readonly ms: number; readonly text: string }): void {
    const nowMs = this.#nowMs();
    const now = basicTime(nowMs);
    if (time.ms < nowMs - LIMITS.awsSignatureSkewMs) {
      const limit = basicTime(nowMs - LIMITS.awsSignatureSkewMs);
      throw invalidSignature(`Signature expired: ${time.text} is now earlier than ${limit} (${now} - 5 min.)`);
    }
    if (time.ms > nowMs + LIMITS.awsSignatureSkewMs) {
      const limit = basicTime(nowMs + LIMITS.awsSignatureSkewMs);
      throw invalidSignature(`Signature not yet current: ${time.text} is still later than ${limit} (${now} + 5 min.)`);
    }
  }

  /** A session token has to be there exactly where the credential has one. */
  #requireSession(credential: Credential, token: string | undefined): void {
    if (credential.sessionToken === undefined) {
      if (token !== undefined) throw unrecognized();
      return;
    }
    if (token === undefined || !equalTexts(token, credential.sessionToken)) throw unrecognized();
    if (credential.expiresMs !== undefined && this.#nowMs() >= credential.expiresMs) {
      throw new AwsError('ExpiredTokenException', 'The security token included in the request is expired');
    }
  }

  #signingKey(credential: Credential, date: string): KeyObject {
    const name = `${date}/${credential.accessKeyId}`;
    const remembered = this.#signingKeys.get(name);
    if (remembered !== undefined) return remembered;
    const ofDate = mac(createSecretKey(`AWS4${credential.secretAccessKey}`, 'utf8'), date);
    const key = mac(mac(mac(ofDate, this.#region), SERVICE), TERMINATOR);
    if (this.#signingKeys.size >= LIMITS.awsSigningKeysMax) this.#signingKeys.clear();
    this.#signingKeys.set(name, key);
    return key;
  }
}

function mac(key: KeyObject, text: string): KeyObject {
  return createSecretKey(createHmac('sha256', key).update(text).digest());
}

/** Headers by lower-case name; a name that comes twice keeps both values, so that it cannot pass for either. */
function collectHeaders(rawHeaders: readonly string[]): Map<string, string> {
  const headers = new Map<string, string>();
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]?.toLowerCase() ?? '';
    const value = rawHeaders[index + 1] ?? '';
    const earlier = headers.get(name);
    headers.set(name, earlier === undefined ? value : `${earlier},${value}`);
  }
  return headers;
}

function parseAuthorization(header: string | undefined): Parts {
  if (header === undefined || header === '') {
    throw new AwsError('MissingAuthenticationTokenException', 'Missing Authentication Token');
  }
  const parts = AUTHORIZATION.exec(header);
  if (parts === null) {
    throw new AwsError(
      'IncompleteSignatureException',
      'The Authorization header must be AWS4-HMAC-SHA256 with Credential, SignedHeaders and Signature.',
    );
  }
  const [
    ,
    accessKeyId = '',
    date = '',
    region = '',
    service = '',
    terminator = '',
    signedHeaders = '',
    signature = '',
  ] = parts;
  return { accessKeyId, date, region, service, terminator, signedHeaders, signature };
}

/** The names of the signed headers, after checking that nothing that decides the request's meaning is left unsigned. */
function requireSignedHeaders(list: string, headers: ReadonlyMap<string, string>): readonly string[] {
  const names = list.split(';');
  if (names.length > LIMITS.awsSignedHeadersMax) throw invalidSignature('Too many headers are signed.');
  for (const [index, name] of names.entries()) {
    if (!headers.has(name)) throw invalidSignature(`The signed header '${name}' is not in the request.`);
    const earlier = names[index - 1];
    if (earlier !== undefined && earlier >= name) throw invalidSignature('SignedHeaders are not sorted.');
  }
  if (!names.includes('host')) {
    throw invalidSignature("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.");
  }
  const dateName = headers.has('x-amz-date') ? 'x-amz-date' : 'date';
  const required = [dateName, 'x-amz-target', ...(headers.has('x-amz-security-token') ? ['x-amz-security-token'] : [])];
  for (const name of required) {
    if (headers.has(name) && !names.includes(name)) {
      throw invalidSignature(`'${name}' must be a 'SignedHeader' in the AWS Authorization.`);
    }
  }
  return names;
}

/** The time of the request: `x-amz-date`, else `date`, in either of its forms. */
function requireTime(headers: ReadonlyMap<string, string>): { readonly ms: number; readonly text: string } {
  const given = headers.get('x-amz-date') ?? headers.get('date');
  if (given === undefined) {
    throw new AwsError(
      'IncompleteSignatureException',
      "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
    );
  }
  const basic = BASIC_TIME.exec(given);
  const ms = basic === null ? Date.parse(given) : Date.parse(given.replace(BASIC_TIME, '$1-$2-$3T$4:$5:$6Z'));
  if (!Number.isFinite(ms)) {
    throw new AwsError('IncompleteSignatureException', 'The time of the request is not a valid date.');
  }
  return { ms, text: basicTime(ms) };
}

/** `YYYYMMDDTHHMMSSZ`. */
function basicTime(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:]|\.\d{3}/g, '');
}

function canonicalize(
  request: SignedRequest,
  signedNames: readonly string[],
  headers: ReadonlyMap<string, string>,
): string {
  let canonicalHeaders = '';
  for (const name of signedNames)
    canonicalHeaders += `${name}:${(headers.get(name) ?? '').trim().replace(/ {2,}/g, ' ')}\n`;
  const bodyHash = hash('sha256', request.body, 'hex');
  return `${request.method}\n/\n\n${canonicalHeaders}\n${signedNames.join(';')}\n${bodyHash}`;
}

function equalTexts(a: string, b: string): boolean {
  const left = Buffer.from(hash('sha256', a, 'hex'));
  return timingSafeEqual(left, Buffer.from(hash('sha256', b, 'hex')));
}

function unrecognized(): AwsError {
  return new AwsError('UnrecognizedClientException', 'The security token included in the request is invalid.');
}

function invalidSignature(message: string): AwsError {
  return new AwsError('InvalidSignatureException', message);
}
