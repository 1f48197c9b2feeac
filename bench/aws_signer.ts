import { createHash, createHmac } from 'node:crypto';

const SIGNED_HEADERS = 'content-type;host;x-amz-date;x-amz-target';
const CONTENT_TYPE = 'application/x-amz-json-1.1';

/** Signs requests as the SDKs do: the signing key is derived once a day, everything else anew for each request. */
export class AwsSigner {
  readonly #host: string;
  readonly #credential: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly #region: string;
  #date = '';
  #key: Buffer = Buffer.alloc(0);

  constructor(options: {
    readonly host: string;
    readonly region: string;
    readonly credential: { readonly accessKeyId: string; readonly secretAccessKey: string };
  }) {
    this.#host = options.host;
    this.#region = options.region;
    this.#credential = options.credential;
  }

  /** Headers of one request of AWS KMS. */
  sign(operation: string, body: string): Record<string, string | number> {
    const time = `${new Date().toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;
    const date = time.slice(0, 8);
    const scope = `${date}/${this.#region}/kms/aws4_request`;
    if (date !== this.#date) {
      const parts = [date, this.#region, 'kms', 'aws4_request'];
      this.#key = parts.reduce(hmac, Buffer.from(`AWS4${this.#credential.secretAccessKey}`));
      this.#date = date;
    }
    const target = `TrentService.${operation}`;
    const headers = `content-type:${CONTENT_TYPE}\nhost:${this.#host}\nx-amz-date:${time}\nx-amz-target:${target}\n`;
    const canonical = `POST\n/\n\n${headers}\n${SIGNED_HEADERS}\n${sha256(body)}`;
    const signature = hmac(this.#key, `AWS4-HMAC-SHA256\n${time}\n${scope}\n${sha256(canonical)}`).toString('hex');
    return {
      'content-type': CONTENT_TYPE,
      host: this.#host,
      'x-amz-date': time,
      'x-amz-target': target,
      authorization: `AWS4-HMAC-SHA256 Credential=${this.#credential.accessKeyId}/${scope}, SignedHeaders=${SIGNED_HEADERS}, Signature=${signature}`,
      'content-length': Buffer.byteLength(body),
    };
  }
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
