import { createHash, createHmac } from 'node:crypto';
import { request } from 'node:http';
import { readBody } from '../http_exchange.js';
import { LabError } from './errors.js';
import type { AccessKey } from './region_config.js';

/** Octets of one answer of KMS. */
const ANSWER_OCTETS_MAX = 1024 * 1024;
/** Time for one answer, milliseconds. */
const ANSWER_MS = 30_000;

/** A refusal by KMS, by its AWS name. */
export interface KmsRefusal {
  /** For example `InvalidCiphertextException`. */
  readonly exception: string;
  readonly message: string;
}

/** Calls the KMS API of a lab as any AWS client would: over the front door, signed with Signature Version 4. */
export class KmsClient {
  readonly #endpoint: URL;
  readonly #key: AccessKey;

  constructor(endpoint: string, key: AccessKey) {
    this.#endpoint = new URL(endpoint);
    this.#key = key;
  }

  /**
   * Calls an operation.
   *
   * @param operation - for example `CreateKey`
   * @throws {@link LabError} `ERR_LAB_STEP` with the exception's name and text
   */
  async call(region: string, operation: string, input: object): Promise<Readonly<Record<string, unknown>>> {
    const { status, document } = await this.#send(region, operation, input);
    if (status === 200) return document;
    const { exception, message } = refusalIn(document);
    throw new LabError('ERR_LAB_STEP', `${operation} in ${region} was refused: ${exception}: ${message}`, {
      details: { operation, region, exception },
    });
  }

  /**
   * Calls an operation that has to be refused.
   *
   * @throws {@link LabError} `ERR_LAB_STEP` where it is not
   */
  async refusal(region: string, operation: string, input: object): Promise<KmsRefusal> {
    const { status, document } = await this.#send(region, operation, input);
    if (status !== 200) return refusalIn(document);
    throw new LabError('ERR_LAB_STEP', `${operation} in ${region} should have been refused and was not`, {
      details: { operation, region },
    });
  }

  async #send(
    region: string,
    operation: string,
    input: object,
  ): Promise<{ status: number; document: Record<string, unknown> }> {
    const body = Buffer.from(JSON.stringify(input), 'utf8');
    const headers = signedHeaders({
      host: this.#endpoint.host,
      target: `TrentService.${operation}`,
      body,
      region,
      key: this.#key,
      at: new Date(),
    });
    const answer = await new Promise<{ status: number; body: Uint8Array }>((resolve, reject) => {
      const sent = request(
        this.#endpoint,
        { method: 'POST', headers, timeout: ANSWER_MS, agent: false },
        (response) => {
          readBody(response, { octetsMax: ANSWER_OCTETS_MAX }).then(
            (octets) => resolve({ status: response.statusCode ?? 0, body: octets }),
            reject,
          );
        },
      );
      sent.on('timeout', () => sent.destroy(new Error('no answer')));
      sent.on('error', reject);
      sent.end(body);
    }).catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      throw new LabError(
        'ERR_LAB_STEP',
        `${operation} in ${region}: ${this.#endpoint.host} does not answer: ${reason}`,
        { cause: error },
      );
    });
    const text = Buffer.from(answer.body).toString('utf8');
    return { status: answer.status, document: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) };
  }
}

function refusalIn(document: Readonly<Record<string, unknown>>): KmsRefusal {
  return { exception: String(document['__type'] ?? 'unknown'), message: String(document['message'] ?? 'no message') };
}

/**
 * The headers of a signed KMS request.
 *
 * @source AWS General Reference, "Create a signed AWS API request"
 */
export function signedHeaders(call: {
  readonly host: string;
  readonly target: string;
  readonly body: Uint8Array;
  readonly region: string;
  readonly key: Pick<AccessKey, 'accessKeyId' | 'secretAccessKey'>;
  readonly at: Date;
}): Readonly<Record<string, string>> {
  const time = call.at.toISOString().replace(/[-:]|\.\d{3}/gu, '');
  const date = time.slice(0, 8);
  const signed: readonly (readonly [string, string])[] = [
    ['content-type', 'application/x-amz-json-1.1'],
    ['host', call.host],
    ['x-amz-date', time],
    ['x-amz-target', call.target],
  ];
  const names = signed.map(([name]) => name).join(';');
  const canonical = [
    'POST',
    '/',
    '',
    ...signed.map(([name, value]) => `${name}:${value}`),
    '',
    names,
    sha256(call.body),
  ].join('\n');
  const scope = [date, call.region, 'kms', 'aws4_request'];
  const stringToSign = ['AWS4-HMAC-SHA256', time, scope.join('/'), sha256(Buffer.from(canonical, 'utf8'))].join('\n');
  const signingKey = scope.reduce<Buffer>(
    (key, part) => hmac(key, part),
    Buffer.from(`AWS4${call.key.secretAccessKey}`, 'utf8'),
  );
  const signature = hmac(signingKey, stringToSign).toString('hex');
  const credential = `${call.key.accessKeyId}/${scope.join('/')}`;
  return {
    ...Object.fromEntries(signed),
    'content-length': String(call.body.length),
    authorization: `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${names}, Signature=${signature}`,
  };
}

function sha256(octets: Uint8Array): string {
  return createHash('sha256').update(octets).digest('hex');
}

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text, 'utf8').digest();
}
