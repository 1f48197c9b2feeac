import { createHash, createHmac } from 'node:crypto';

/** What signs a request: an access key, with a session token where it is a temporary one. */
export interface RequestKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/**
 * The headers of a signed request in AWS JSON.
 *
 * @param call.service - name of the service in the credential scope; AWS KMS where it is absent
 * @param call.contentType - AWS JSON 1.1 where it is absent
 * @source AWS General Reference, "Create a signed AWS API request"
 */
export function signedHeaders(call: {
  readonly host: string;
  readonly target: string;
  readonly body: Uint8Array;
  readonly region: string;
  readonly key: RequestKey;
  readonly at: Date;
  readonly service?: string;
  readonly contentType?: string;
}): Readonly<Record<string, string>> {
  const time = call.at.toISOString().replace(/[-:]|\.\d{3}/gu, '');
  const date = time.slice(0, 8);
  const signed: readonly (readonly [string, string])[] = [
    ['content-type', call.contentType ?? 'application/x-amz-json-1.1'],
    ['host', call.host],
    ['x-amz-date', time],
    ...(call.key.sessionToken === undefined ? [] : [['x-amz-security-token', call.key.sessionToken] as const]),
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
  const scope = [date, call.region, call.service ?? 'kms', 'aws4_request'];
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
