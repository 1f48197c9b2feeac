import { Agent, request } from 'node:http';
import { readBody } from '../src/http_exchange.js';
import type { AccessKey } from '../src/lab/region_config.js';
import { signedHeaders } from '../src/request_signature.js';

/** Octets of one answer: a page of 1,000 keys has 150,000. */
const ANSWER_OCTETS_MAX = 1024 * 1024;

/** A client of one region with one connection. */
export class ScaleClient {
  readonly #url: URL;
  readonly #region: string;
  readonly #key: AccessKey;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });

  constructor(url: string, region: string, key: AccessKey) {
    this.#url = new URL(url);
    this.#region = region;
    this.#key = key;
  }

  /** Calls an operation; its answer's members. Fails where it is refused. */
  async call(operation: string, input: object): Promise<Readonly<Record<string, unknown>>> {
    const body = Buffer.from(JSON.stringify(input), 'utf8');
    const headers = signedHeaders({
      host: this.#url.host,
      target: `TrentService.${operation}`,
      body,
      region: this.#region,
      key: this.#key,
      at: new Date(),
    });
    const { status, text } = await new Promise<{ status: number; text: string }>((resolve, reject) => {
      const outgoing = request(this.#url, { method: 'POST', headers, agent: this.#agent }, (response) => {
        readBody(response, { octetsMax: ANSWER_OCTETS_MAX }).then(
          (octets) => resolve({ status: response.statusCode ?? 0, text: Buffer.from(octets).toString('utf8') }),
          reject,
        );
      });
      outgoing.once('error', reject);
      outgoing.end(body);
    });
    if (status !== 200) throw new Error(`${operation} was answered with ${status}: ${text.slice(0, 300)}`);
    return JSON.parse(text) as Readonly<Record<string, unknown>>;
  }

  close(): void {
    this.#agent.destroy();
  }
}
