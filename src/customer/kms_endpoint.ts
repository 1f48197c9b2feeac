import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { exchange } from '../http_exchange.js';
import { signedHeaders } from '../request_signature.js';
import type { EndpointSettings } from './credentials.js';
import { CeremonyError } from './errors.js';

/** Octets of one answer: an import token and a public key, in base64. */
const ANSWER_OCTETS_MAX = 256 * 1024;
/** Time for one answer, milliseconds: a busy token takes that long to make an RSA pair of 4096 bits. */
const ANSWER_MS = 120_000;

/** A KMS API, Keyferry's or another: one signed request after another, no retries. */
export class KmsEndpoint {
  readonly #settings: EndpointSettings;

  constructor(settings: EndpointSettings) {
    this.#settings = settings;
  }

  get url(): string {
    return this.#settings.url.origin;
  }

  get region(): string {
    return this.#settings.region;
  }

  /**
   * Calls an operation.
   *
   * @param operation - for example `ImportKeyMaterial`
   * @returns the members of the answer, as JSON has them
   * @throws {@link CeremonyError} `ERR_CEREMONY_REFUSED` with the exception in the details, `ERR_CEREMONY_ENDPOINT`
   */
  async call(operation: string, input: object): Promise<Readonly<Record<string, unknown>>> {
    const { status, body } = await this.#send(operation, Buffer.from(JSON.stringify(input), 'utf8'));
    const document = documentOf(body);
    if (status === 200 && document !== undefined) return document;
    if (document === undefined) {
      throw new CeremonyError(
        'ERR_CEREMONY_ENDPOINT',
        `${this.url} answered ${operation} with status ${status} and no JSON`,
        {
          remedy: 'look whether the endpoint is one of KMS',
        },
      );
    }
    const exception = String(document['__type'] ?? 'unknown').replace(/^.*#/u, '');
    const message = String(document['message'] ?? document['Message'] ?? 'no message');
    throw new CeremonyError('ERR_CEREMONY_REFUSED', `${operation} was refused: ${exception}: ${message}`, {
      details: { operation, exception, status },
      remedy: REMEDIES[exception] ?? null,
    });
  }

  #send(operation: string, body: Uint8Array): Promise<{ readonly status: number; readonly body: Uint8Array }> {
    const { url, region, key, caFile } = this.#settings;
    const headers = signedHeaders({
      host: url.host,
      target: `TrentService.${operation}`,
      body,
      region,
      key,
      at: new Date(),
    });
    const request = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const trust = url.protocol === 'https:' && caFile !== undefined ? { ca: certificatesOf(caFile) } : {};
    const options = { method: 'POST', headers, timeout: ANSWER_MS, agent: false, ...trust };
    return exchange(() => request(new URL('/', url), options), body, { octetsMax: ANSWER_OCTETS_MAX }).catch(
      (error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        throw new CeremonyError('ERR_CEREMONY_ENDPOINT', `${this.url} gave no answer to ${operation}: ${reason}`, {
          remedy: 'check --endpoint; a request whose answer was lost may have been carried out',
          cause: error,
        });
      },
    );
  }
}

/** What to do about a refusal, where that is more than its message says. */
const REMEDIES: Readonly<Record<string, string>> = {
  UnsupportedOperationException: 'the endpoint may know another --wrapping-algorithm, such as the one with SHA_1',
  ExpiredImportTokenException: 'download parameters anew, and wrap the material under them',
  InvalidImportTokenException: 'parameters are for one key of one endpoint: download them for this one',
  InvalidCiphertextException: 'wrap the material under the public key of these very parameters',
  IncorrectKeyMaterialException:
    'this key takes other material: the same as before, or for a new one --import-type NEW_KEY_MATERIAL',
};

function certificatesOf(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new CeremonyError('ERR_CEREMONY_ENDPOINT', `The certificates in ${file} cannot be read`, {
      remedy: 'correct AWS_CA_BUNDLE, or ca_bundle of the profile',
      cause,
    });
  }
}

function documentOf(body: Uint8Array): Record<string, unknown> | undefined {
  const text = Buffer.from(body.buffer, body.byteOffset, body.length).toString('utf8');
  try {
    const value: unknown = text === '' ? {} : JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
