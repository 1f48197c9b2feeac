import { createHash, createHmac } from 'node:crypto';

/** What a hand-made request says; everything may be wrong on purpose. */
export interface RequestToSign {
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
  readonly region?: string;
  readonly service?: string;
  readonly terminator?: string;
  /** Day in the credential scope, `YYYYMMDD`; that of `time` where it is absent. */
  readonly scopeDate?: string;
  /** `YYYYMMDDTHHMMSSZ`. */
  readonly time: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Names of the signed headers, all of `headers` where it is absent. */
  readonly signed?: readonly string[];
  readonly body?: string | Uint8Array;
  /** `POST` where it is absent. */
  readonly method?: string;
  /** As it is signed: each segment encoded twice. `/` where it is absent. */
  readonly canonicalPath?: string;
  /** As it is signed: encoded and sorted. Empty where it is absent. */
  readonly canonicalQuery?: string;
  /** Stands in the place of the body's hash. */
  readonly payloadHash?: string;
  /** First word of the header and of the string to sign. */
  readonly algorithm?: string;
}

/** An `Authorization` header, computed step by step from the published description of Signature Version 4. */
export function authorizationFor(request: RequestToSign): string {
  const algorithm = request.algorithm ?? 'AWS4-HMAC-SHA256';
  const date = request.scopeDate ?? request.time.slice(0, 8);
  const region = request.region ?? 'us-east-1';
  const service = request.service ?? 'kms';
  const terminator = request.terminator ?? 'aws4_request';
  const signed = [...(request.signed ?? Object.keys(request.headers))].map((name) => name.toLowerCase()).sort();
  const lower = new Map(Object.entries(request.headers).map(([name, value]) => [name.toLowerCase(), value]));
  const canonical = [
    request.method ?? 'POST',
    request.canonicalPath ?? '/',
    request.canonicalQuery ?? '',
    ...signed.map(
      (name) =>
        `${name}:${(lower.get(name) ?? '')
          .trim()
          .split(/[ \t]+/)
          .join(' ')}`,
    ),
    '',
    signed.join(';'),
    request.payloadHash ?? sha256(request.body ?? ''),
  ].join('\n');
  const scope = [date, region, service, terminator].join('/');
  const stringToSign = [algorithm, request.time, scope, sha256(canonical)].join('\n');
  let key: Buffer = Buffer.from(`AWS4${request.secretAccessKey ?? 'secret'}`);
  for (const part of [date, region, service, terminator]) key = hmac(key, part);
  const signature = hmac(key, stringToSign).toString('hex');
  const credential = `${request.accessKeyId ?? 'AKID'}/${scope}`;
  return `${algorithm} Credential=${credential}, SignedHeaders=${signed.join(';')}, Signature=${signature}`;
}

/** `YYYYMMDDTHHMMSSZ` of a time in milliseconds. */
export function basicTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;
}

function sha256(text: string | Uint8Array): string {
  return createHash('sha256').update(text).digest('hex');
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
