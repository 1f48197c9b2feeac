import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { exchange } from '../http_exchange.js';
import { signedHeaders } from '../request_signature.js';
import { LabError } from './errors.js';
import type { AccessKey } from './region_config.js';

/** Octets of one answer of KMS. */
const ANSWER_OCTETS_MAX = 1024 * 1024;
/** Time for one answer, milliseconds: a busy token takes that long to make an RSA pair. */
const ANSWER_MS = 120_000;

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
  readonly #ca: Buffer | undefined;

  /** @param caFile - certificates to trust where the endpoint speaks TLS; those of the system where it is null */
  constructor(endpoint: string, key: AccessKey, caFile: string | null = null) {
    this.#endpoint = new URL(endpoint);
    this.#key = key;
    this.#ca = caFile === null ? undefined : readFileSync(caFile);
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
    const request = this.#endpoint.protocol === 'https:' ? httpsRequest : httpRequest;
    const trust = this.#ca === undefined ? {} : { ca: this.#ca };
    const options = { method: 'POST', headers, timeout: ANSWER_MS, agent: false, ...trust };
    const answer = await exchange(() => request(this.#endpoint, options), body, { octetsMax: ANSWER_OCTETS_MAX }).catch(
      (error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        throw new LabError(
          'ERR_LAB_STEP',
          `${operation} in ${region}: ${this.#endpoint.host} does not answer: ${reason}`,
          { cause: error },
        );
      },
    );
    const text = Buffer.from(answer.body).toString('utf8');
    return { status: answer.status, document: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) };
  }
}

function refusalIn(document: Readonly<Record<string, unknown>>): KmsRefusal {
  return { exception: String(document['__type'] ?? 'unknown'), message: String(document['message'] ?? 'no message') };
}
