import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import { LIMITS } from '../../limits.js';
import { canonicalTarget } from './canonical_target.js';
import { AwsError } from './exceptions.js';
import type { RequestHeaders } from './request_headers.js';
import { parseRequestTime, requireFresh, type RequestTime } from './request_time.js';
import {
  ALGORITHM,
  invalidSignature,
  parseClaim,
  splitAuthorization,
  TERMINATOR,
  type SignatureClaim,
} from './signature_claim.js';
import { SigningKey } from './signing_key.js';

const HASH_DIGITS = 64;
const UNEVEN_BLANKS = /^ | $|\t| {2}/;

/** A credential that requests can be signed with. */
export interface Credential {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** ARN of the principal that it speaks for. */
  readonly principal: string;
  /** IAM policy of the principal, JSON text that was checked; absent or null for an administrator. */
  readonly policy?: string | null | undefined;
  /** For a temporary credential: the token that has to come with it. */
  readonly sessionToken?: string | undefined;
  /** When a temporary credential ends, milliseconds since the epoch. */
  readonly expiresMs?: number | undefined;
}

/** A request as it came, before anything of it is believed. */
export interface SignedRequest {
  readonly method: string;
  /** Path and query, as in the request line. */
  readonly target: string;
  readonly headers: RequestHeaders;
  readonly body: Uint8Array;
}

/** Who signs, checked; remembered from request to request. */
export interface Signer {
  readonly credential: Credential;
  /** Of the credential scope, for example `kms`. */
  readonly service: string;
  readonly claim: SignatureClaim;
  readonly scope: string;
  /** Headers that decide what a request means, and that this claim does not sign. */
  readonly unsigned: readonly string[];
  readonly key: SigningKey;
}

/**
 * Verifies Signature Version 4 in the `Authorization` header.
 *
 * @source AWS general reference, "Create a signed AWS API request"
 */
export class SignatureVerifier {
  readonly #region: string;
  readonly #services: ReadonlySet<string>;
  readonly #credentials: ReadonlyMap<string, Credential>;
  readonly #nowMs: () => number;
  readonly #signers = new Map<string, Signer>();
  readonly #expected = Buffer.alloc(HASH_DIGITS);
  readonly #given = Buffer.alloc(HASH_DIGITS);
  #lastTime: RequestTime | undefined;

  /**
   * @param options.region - the region whose endpoint this is
   * @param options.services - signing names that are answered here; the first one is named to who asks for another
   * @param options.nowMs - the time by which clients sign, milliseconds since the epoch: never a lab's shifted clock
   */
  constructor(options: {
    readonly region: string;
    readonly services: readonly string[];
    readonly credentials: readonly Credential[];
    readonly nowMs: () => number;
  }) {
    this.#region = options.region;
    this.#services = new Set(options.services);
    this.#credentials = new Map(options.credentials.map((credential) => [credential.accessKeyId, credential]));
    this.#nowMs = options.nowMs;
  }

  /**
   * Finds out who signed a request.
   *
   * @throws {@link AwsError} one of the authentication errors; never says more than which part is wrong
   */
  verify(request: SignedRequest): Signer {
    const { headers } = request;
    const { claim, signature } = splitAuthorization(headers.get('authorization'));
    const signer = this.#signerOf(claim);
    requireSigned(signer, headers);
    const time = this.#timeOf(headers);
    requireDay(signer.claim.date, time);
    requireFresh(time, this.#nowMs());
    const bodyHash = hash('sha256', request.body, 'hex');
    requireDeclaredHash(headers.get('x-amz-content-sha256'), bodyHash);
    const canonicalHash = hash('sha256', latin1(canonicalize(request, signer.claim, headers, bodyHash)), 'hex');
    const stringToSign = `${ALGORITHM}\n${time.text}\n${signer.scope}\n${canonicalHash}`;
    if (!this.#equal(signer.key.sign(stringToSign), signature)) {
      throw invalidSignature(
        'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
      );
    }
    this.#requireSession(signer.credential, headers.get('x-amz-security-token'));
    return signer;
  }

  /** Compares two hashes in hexadecimal in a time that does not depend on where they differ. */
  #equal(expected: string, given: string): boolean {
    const octets = this.#expected.write(expected, 'latin1');
    return octets === this.#given.write(given, 'latin1') && timingSafeEqual(this.#expected, this.#given);
  }

  /** Who claims to have signed, with the signing key; the same claim comes with every request of a client on one day. */
  #signerOf(text: string): Signer {
    const remembered = this.#signers.get(text);
    if (remembered !== undefined) return remembered;
    const signer = this.#check(parseClaim(text));
    if (this.#signers.size >= LIMITS.awsSignersMax) this.#signers.clear();
    this.#signers.set(text, signer);
    return signer;
  }

  #check(claim: SignatureClaim): Signer {
    const { accessKeyId, date, region, service, terminator } = claim;
    const credential = this.#credentials.get(accessKeyId);
    if (credential === undefined) throw unrecognized();
    if (region !== this.#region) {
      throw invalidSignature(`Credential should be scoped to a valid region, not '${region}'.`);
    }
    if (!this.#services.has(service)) {
      const [expected = ''] = this.#services;
      throw invalidSignature(`Credential should be scoped to correct service: '${expected}'.`);
    }
    if (terminator !== TERMINATOR) {
      throw invalidSignature(`Credential should be scoped with a valid terminator: '${TERMINATOR}'.`);
    }
    const ofDate = mac(Buffer.from(`AWS4${credential.secretAccessKey}`, 'utf8'), date);
    return {
      credential,
      service,
      claim,
      scope: `${date}/${region}/${service}/${terminator}`,
      unsigned: MEANINGFUL.filter((name) => !claim.signedNames.includes(name)),
      key: new SigningKey(mac(mac(mac(ofDate, region), service), terminator)),
    };
  }

  /** The time of the request; that of the last one is remembered, since requests of one second say the same. */
  #timeOf(headers: RequestHeaders): RequestTime {
    const amzDate = headers.get('x-amz-date');
    if (amzDate !== undefined && this.#lastTime?.given === amzDate) return this.#lastTime;
    const time = parseRequestTime(amzDate, headers.get('date'));
    if (amzDate !== undefined) this.#lastTime = time;
    return time;
  }

  /** A session token has to be there exactly where the credential has one. */
  #requireSession(credential: Credential, token: string | undefined): void {
    if (credential.sessionToken === undefined) {
      if (token !== undefined) throw unrecognized();
    } else if (token === undefined || !equalTexts(token, credential.sessionToken)) {
      throw unrecognized();
    }
    if (credential.expiresMs !== undefined && this.#nowMs() >= credential.expiresMs) {
      throw new AwsError('ExpiredTokenException', 'The security token included in the request is expired');
    }
  }
}

function mac(key: Uint8Array, text: string): Uint8Array {
  return createHmac('sha256', key).update(text).digest();
}

/** Headers that decide what a request means, and that have to be signed where they are there. */
const MEANINGFUL = ['x-amz-target', 'x-amz-date', 'x-amz-security-token', 'x-amz-content-sha256'] as const;

/** Checks that every signed header is there, and that nothing that decides the request's meaning is left unsigned. */
function requireSigned({ claim, unsigned }: Signer, headers: RequestHeaders): void {
  for (const name of claim.signedNames) {
    if (!headers.has(name)) throw invalidSignature(`The signed header '${name}' is not in the request.`);
  }
  for (const name of unsigned) {
    if (headers.has(name)) throw notSigned(name);
  }
  if (!headers.has('x-amz-date') && headers.has('date') && !claim.signedNames.includes('date')) {
    throw notSigned('date');
  }
}

function notSigned(name: string): AwsError {
  return invalidSignature(`'${name}' must be a 'SignedHeader' in the AWS Authorization.`);
}

function requireDay(date: string, time: RequestTime): void {
  if (time.text.startsWith(date)) return;
  throw invalidSignature(
    `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '${date}' != '${time.text.slice(0, 8)}', from '${time.text}'.`,
  );
}

/** Bodies are always signed here: nothing else may stand in the place of their hash. */
function requireDeclaredHash(declared: string | undefined, bodyHash: string): void {
  if (declared === undefined || declared === bodyHash) return;
  throw invalidSignature(
    /^(?:UNSIGNED-PAYLOAD|STREAMING-)/.test(declared)
      ? "The value of 'x-amz-content-sha256' must be the SHA-256 of the body: unsigned and streamed bodies are not supported."
      : "The value of 'x-amz-content-sha256' is not the SHA-256 of the body.",
  );
}

function canonicalize(
  request: SignedRequest,
  claim: SignatureClaim,
  headers: RequestHeaders,
  bodyHash: string,
): string {
  const { path, query } = canonicalTarget(request.target);
  let canonicalHeaders = '';
  for (const name of claim.signedNames) canonicalHeaders += `${name}:${trimAll(headers.get(name) ?? '')}\n`;
  return `${request.method}\n${path}\n${query}\n${canonicalHeaders}\n${claim.signedHeaders}\n${bodyHash}`;
}

/** The octets that a header had on the wire: Node reads each of them as one character. */
function latin1(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

/** No blanks at the ends, and one space for each run of them: signers take tabs for spaces. */
function trimAll(value: string): string {
  return UNEVEN_BLANKS.test(value) ? value.replace(/[ \t]+/g, ' ').replace(/^ | $/g, '') : value;
}

function equalTexts(a: string, b: string): boolean {
  const left = Buffer.from(hash('sha256', a, 'hex'));
  return timingSafeEqual(left, Buffer.from(hash('sha256', b, 'hex')));
}

function unrecognized(): AwsError {
  return new AwsError('UnrecognizedClientException', 'The security token included in the request is invalid.');
}
