import { createHmac, createSecretKey, hash, timingSafeEqual, type KeyObject } from 'node:crypto';
import { LIMITS } from '../../limits.js';
import { AwsError } from './exceptions.js';

const ALGORITHM = 'AWS4-HMAC-SHA256';
const SERVICE = 'kms';
const TERMINATOR = 'aws4_request';

const CLAIM =
  /^AWS4-HMAC-SHA256 +Credential=([^\s,/]+)\/(\d{8})\/([^\s,/]+)\/([^\s,/]+)\/([^\s,/]+) *, *SignedHeaders=([a-z0-9;-]+) *, *Signature=$/;
const SIGNATURE_DIGITS = 64;
const SIGNATURE = /^[0-9a-f]{64}$/;
const RUN_OF_BLANKS = / {2}|\t/;
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
  /** By lower-case name, as Node parses them: of some names that come twice only one value is here. */
  readonly headers: Headers;
  /** Names and values in turns, as they came. */
  readonly rawHeaders: readonly string[];
  readonly body: Uint8Array;
}

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

/** What an `Authorization` header says of its signer, checked. */
interface Signer {
  readonly credential: Credential;
  /** `YYYYMMDD`. */
  readonly date: string;
  readonly scope: string;
  readonly signedHeaders: string;
  readonly signedNames: readonly string[];
  readonly key: KeyObject;
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
  readonly #signers = new Map<string, Signer>();
  #lastTime: RequestTime | undefined;

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
    const headers = withoutLoss(request);
    const { signer, signature } = this.#signerOf(valueOf(headers, 'authorization'));
    requireSigned(signer.signedNames, headers);
    const time = this.#timeOf(headers);
    if (!time.text.startsWith(signer.date)) {
      throw invalidSignature(
        'Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.',
      );
    }
    this.#requireFresh(time);
    const canonicalHash = hash('sha256', latin1(canonicalize(request, signer, headers)), 'hex');
    const stringToSign = `${ALGORITHM}\n${time.text}\n${signer.scope}\n${canonicalHash}`;
    const expected = createHmac('sha256', signer.key).update(stringToSign, 'latin1').digest('hex');
    if (!timingSafeEqual(latin1(expected), latin1(signature))) {
      throw invalidSignature(
        'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
      );
    }
    this.#requireSession(signer.credential, valueOf(headers, 'x-amz-security-token'));
    return signer.credential;
  }

  /**
   * Who claims to have signed, and how. All of an `Authorization` header but the signature is the same in every request that a
   * client makes on one day, so what it says is remembered with the signing key.
   */
  #signerOf(authorization: string | undefined): { readonly signer: Signer; readonly signature: string } {
    if (authorization === undefined || authorization === '') {
      throw new AwsError('MissingAuthenticationTokenException', 'Missing Authentication Token');
    }
    const at = authorization.length - SIGNATURE_DIGITS;
    const claim = authorization.slice(0, Math.max(at, 0));
    const signature = authorization.slice(Math.max(at, 0));
    if (!SIGNATURE.test(signature)) throw incomplete();
    const remembered = this.#signers.get(claim);
    if (remembered !== undefined) return { signer: remembered, signature };
    const signer = this.#checkClaim(claim);
    if (this.#signers.size >= LIMITS.awsSignersMax) this.#signers.clear();
    this.#signers.set(claim, signer);
    return { signer, signature };
  }

  #checkClaim(claim: string): Signer {
    const parts = CLAIM.exec(claim);
    if (parts === null) throw incomplete();
    const [, accessKeyId = '', date = '', region = '', service = '', terminator = '', signedHeaders = ''] = parts;
    const credential = this.#credentials.get(accessKeyId);
    if (credential === undefined) throw unrecognized();
    if (region !== this.#region) {
      throw invalidSignature(`Credential should be scoped to a valid region, not '${region}'.`);
    }
    if (service !== SERVICE) throw invalidSignature(`Credential should be scoped to correct service: '${SERVICE}'.`);
    if (terminator !== TERMINATOR) {
      throw invalidSignature(`Credential should be scoped with a valid terminator: '${TERMINATOR}'.`);
    }
    const ofDate = mac(createSecretKey(`AWS4${credential.secretAccessKey}`, 'utf8'), date);
    return {
      credential,
      date,
      scope: `${date}/${region}/${service}/${terminator}`,
      signedHeaders,
      signedNames: parseSignedHeaders(signedHeaders),
      key: mac(mac(mac(ofDate, region), service), terminator),
    };
  }

  /** The time of the request; that of the last one is remembered, since requests of one second say the same. */
  #timeOf(headers: Headers): RequestTime {
    const given = valueOf(headers, 'x-amz-date') ?? valueOf(headers, 'date');
    if (this.#lastTime !== undefined && this.#lastTime.given === given) return this.#lastTime;
    const time = requireTime(given);
    this.#lastTime = time;
    return time;
  }

  #requireFresh(time: RequestTime): void {
    const nowMs = this.#nowMs();
    if (time.ms < nowMs - LIMITS.awsSignatureSkewMs) {
      const limit = basicTime(nowMs - LIMITS.awsSignatureSkewMs);
      throw invalidSignature(
        `Signature expired: ${time.text} is now earlier than ${limit} (${basicTime(nowMs)} - 5 min.)`,
      );
    }
    if (time.ms > nowMs + LIMITS.awsSignatureSkewMs) {
      const limit = basicTime(nowMs + LIMITS.awsSignatureSkewMs);
      throw invalidSignature(
        `Signature not yet current: ${time.text} is still later than ${limit} (${basicTime(nowMs)} + 5 min.)`,
      );
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
}

function mac(key: KeyObject, text: string): KeyObject {
  return createSecretKey(createHmac('sha256', key).update(text).digest());
}

/** Headers of which nothing was dropped: a name that comes twice keeps both values, so that it cannot pass for either. */
function withoutLoss(request: SignedRequest): Headers {
  const { headers, rawHeaders } = request;
  if (Object.keys(headers).length * 2 === rawHeaders.length) return headers;
  const collected: Record<string, string> = Object.create(null);
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]?.toLowerCase() ?? '';
    const value = rawHeaders[index + 1] ?? '';
    const earlier = collected[name];
    collected[name] = earlier === undefined ? value : `${earlier},${value}`;
  }
  return collected;
}

function valueOf(headers: Headers, name: string): string | undefined {
  if (!Object.hasOwn(headers, name)) return undefined;
  const value = headers[name];
  return typeof value === 'string' ? value : value?.join(',');
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

/** Headers that decide what a request means, and that have to be signed where they are there. */
const MEANINGFUL = ['x-amz-target', 'x-amz-date', 'x-amz-security-token'] as const;

/** Checks that every signed header is there, and that nothing that decides the request's meaning is left unsigned. */
function requireSigned(names: readonly string[], headers: Headers): void {
  for (const name of names) {
    if (!Object.hasOwn(headers, name)) throw invalidSignature(`The signed header '${name}' is not in the request.`);
  }
  for (const name of MEANINGFUL) {
    if (Object.hasOwn(headers, name) && !names.includes(name)) throw unsigned(name);
  }
  if (!Object.hasOwn(headers, 'x-amz-date') && Object.hasOwn(headers, 'date') && !names.includes('date')) {
    throw unsigned('date');
  }
}

function unsigned(name: string): AwsError {
  return invalidSignature(`'${name}' must be a 'SignedHeader' in the AWS Authorization.`);
}

interface RequestTime {
  /** The header's value. */
  readonly given: string;
  /** The same as the string to sign has it: `YYYYMMDDTHHMMSSZ`. */
  readonly text: string;
  readonly ms: number;
}

/** The time of a request: the value of `x-amz-date`, else of `date`, in either of their forms. */
function requireTime(given: string | undefined): RequestTime {
  if (given === undefined) {
    throw new AwsError(
      'IncompleteSignatureException',
      "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
    );
  }
  const isBasic = BASIC_TIME.test(given);
  const ms = Date.parse(isBasic ? given.replace(BASIC_TIME, '$1-$2-$3T$4:$5:$6Z') : given);
  if (!Number.isFinite(ms)) {
    throw new AwsError('IncompleteSignatureException', 'The time of the request is not a valid date.');
  }
  return { given, text: isBasic ? given : basicTime(ms), ms };
}

/** `YYYYMMDDTHHMMSSZ`. */
function basicTime(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:]|\.\d{3}/g, '');
}

function canonicalize(request: SignedRequest, signer: Signer, headers: Headers): string {
  let canonicalHeaders = '';
  for (const name of signer.signedNames) canonicalHeaders += `${name}:${trimAll(valueOf(headers, name) ?? '')}\n`;
  const bodyHash = hash('sha256', request.body, 'hex');
  return `${request.method}\n/\n\n${canonicalHeaders}\n${signer.signedHeaders}\n${bodyHash}`;
}

/** The octets that a header had on the wire: Node reads each of them as one character. */
function latin1(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

/** No blanks at the ends, and one space for each run of them: signers take tabs for spaces. */
function trimAll(value: string): string {
  const trimmed = value.trim();
  return RUN_OF_BLANKS.test(trimmed) ? trimmed.replace(/[ \t]+/g, ' ') : trimmed;
}

function equalTexts(a: string, b: string): boolean {
  const left = Buffer.from(hash('sha256', a, 'hex'));
  return timingSafeEqual(left, Buffer.from(hash('sha256', b, 'hex')));
}

function incomplete(): AwsError {
  return new AwsError(
    'IncompleteSignatureException',
    'The Authorization header must be AWS4-HMAC-SHA256 with Credential, SignedHeaders and Signature.',
  );
}

function unrecognized(): AwsError {
  return new AwsError('UnrecognizedClientException', 'The security token included in the request is invalid.');
}

function invalidSignature(message: string): AwsError {
  return new AwsError('InvalidSignatureException', message);
}
