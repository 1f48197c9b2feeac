import { createHash } from 'node:crypto';
import { EncryptCommand, KMSClient } from '@aws-sdk/client-kms';
import { expect } from 'chai';
import { SignatureVerifier, type Credential, type SignedRequest } from '../../../src/surfaces/aws/sigv4.js';
import { readHeaders } from '../../../src/surfaces/aws/request_headers.js';
import { authorizationFor, basicTime, type RequestToSign } from '../../support/sign_request.js';

const NOW = Date.UTC(2026, 5, 15, 12, 0, 0);
const TIME = basicTime(NOW);
const ROOT = 'arn:aws:iam::111122223333:root';
const CREDENTIALS: readonly Credential[] = [
  { accessKeyId: 'AKID', secretAccessKey: 'secret', principal: ROOT },
  {
    accessKeyId: 'ASIA',
    secretAccessKey: 'temporary',
    principal: ROOT,
    sessionToken: 'token==',
    expiresMs: NOW + 1000,
  },
];

function verifierAt(nowMs: number): SignatureVerifier {
  return new SignatureVerifier({
    region: 'us-east-1',
    services: ['kms', 'monitoring'],
    credentials: CREDENTIALS,
    nowMs: () => nowMs,
  });
}

const HEADERS: Readonly<Record<string, string>> = {
  'Content-Type': 'application/x-amz-json-1.1',
  Host: '127.0.0.1:4599',
  'X-Amz-Date': TIME,
  'X-Amz-Target': 'TrentService.ListKeys',
};

/** A request signed over `sign`, sent with the headers and the body of `send`. */
function made(
  sign: Partial<RequestToSign> = {},
  send: { readonly headers?: Readonly<Record<string, string>>; readonly body?: string } = {},
): SignedRequest {
  const toSign = { time: TIME, headers: HEADERS, body: '{}', ...sign };
  const headers = { ...(send.headers ?? toSign.headers), Authorization: authorizationFor(toSign) };
  return sent(Object.entries(headers), send.body ?? toSign.body);
}

function sent(headers: readonly (readonly [string, string])[], body: string | Uint8Array): SignedRequest {
  return { method: 'POST', target: '/', headers: readHeaders(headers.flat()), body: Buffer.from(body) };
}

function refusal(request: SignedRequest, nowMs = NOW): { readonly code: string; readonly message: string } {
  try {
    verifierAt(nowMs).verify(request);
  } catch (error) {
    if (error instanceof Error && 'code' in error) return { code: String(error.code), message: error.message };
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('Signature Version 4', () => {
  const bare = (authorization: string | undefined): SignedRequest => {
    const headers = { ...HEADERS, ...(authorization !== undefined && { Authorization: authorization }) };
    return sent(Object.entries(headers), '{}');
  };

  it('accepts what the SDK signs, whatever its header values and body', async () => {
    const client = new KMSClient({
      region: 'us-east-1',
      endpoint: 'http://127.0.0.1:1',
      credentials: { accessKeyId: 'AKID', secretAccessKey: 'secret' },
      maxAttempts: 1,
      customUserAgent: 'two  spaces,\tand a tab',
    });
    let captured: SignedRequest | undefined;
    client.middlewareStack.add(
      () => async (args) => {
        const { headers, body } = args.request as { headers: Record<string, string>; body: string };
        captured = sent(Object.entries(headers), body);
        throw new Error('nothing is sent');
      },
      { step: 'deserialize', priority: 'low' },
    );
    await client.send(new EncryptCommand({ KeyId: 'grüße', Plaintext: Buffer.alloc(99) })).catch(() => undefined);
    if (captured === undefined) throw new Error('nothing was captured');
    expect(verifierAt(Date.now()).verify(captured).credential.principal).to.equal(ROOT);
    const changed = { ...captured, body: Buffer.concat([captured.body, Buffer.from(' ')]) };
    expect(refusal(changed, Date.now()).code).to.equal('InvalidSignatureException');
    client.destroy();
  });

  it('accepts a request made by hand, and the same again with a remembered signing key', () => {
    const verifier = verifierAt(NOW);
    expect(verifier.verify(made()).credential.accessKeyId).to.equal('AKID');
    expect(verifier.verify(made()).credential.accessKeyId).to.equal('AKID');
  });

  it('accepts a Date header where there is no X-Amz-Date', () => {
    const { 'X-Amz-Date': _, ...others } = HEADERS;
    const headers = { ...others, Date: new Date(NOW).toUTCString() };
    expect(verifierAt(NOW).verify(made({ headers })).credential.accessKeyId).to.equal('AKID');
  });

  it('takes runs of blanks in a header for one space, as signers do', () => {
    const headers = { ...HEADERS, 'User-Agent': '  a \t  b  c ' };
    expect(verifierAt(NOW).verify(made({ headers })).credential.accessKeyId).to.equal('AKID');
  });

  it('accepts header values that are not ASCII, as the octets that they were signed as', () => {
    const value = 'grüße';
    const authorization = authorizationFor({ time: TIME, headers: { ...HEADERS, 'User-Agent': value }, body: '{}' });
    const asReceived = Buffer.from(value, 'utf8').toString('latin1');
    const headers = { ...HEADERS, 'User-Agent': asReceived, Authorization: authorization };
    expect(verifierAt(NOW).verify(sent(Object.entries(headers), '{}')).credential.accessKeyId).to.equal('AKID');
  });

  it('accepts clocks that are up to five minutes apart', () => {
    for (const apart of [-300_000, 300_000]) {
      expect(verifierAt(NOW + apart).verify(made()).credential.accessKeyId).to.equal('AKID');
    }
  });

  it('refuses times that are further away', () => {
    const late = refusal(made(), NOW + 301_000);
    expect(late.code).to.equal('InvalidSignatureException');
    expect(late.message).to.equal(
      'Signature expired: 20260615T120000Z is now earlier than 20260615T120001Z (20260615T120501Z - 5 min.)',
    );
    const early = refusal(made(), NOW - 301_000);
    expect(early.message).to.contain('Signature not yet current: 20260615T120000Z is still later than');
  });

  const mismatches: readonly [string, SignedRequest][] = [
    ['another secret', made({ secretAccessKey: 'guess' })],
    ['another body', made({}, { body: '{"Limit":1}' })],
    ['another target', made({}, { headers: { ...HEADERS, 'X-Amz-Target': 'TrentService.CreateKey' } })],
    ['another host', made({}, { headers: { ...HEADERS, Host: 'elsewhere' } })],
    ['another content type', made({}, { headers: { ...HEADERS, 'Content-Type': 'text/plain' } })],
    ['another method', { ...made(), method: 'PUT' }],
    [
      'a time of the same day that was not signed',
      made({}, { headers: { ...HEADERS, 'X-Amz-Date': basicTime(NOW + 1000) } }),
    ],
  ];
  for (const [what, request] of mismatches) {
    it(`refuses a signature made for ${what}`, () => {
      expect(refusal(request)).to.deep.include({ code: 'InvalidSignatureException' });
      expect(refusal(request).message).to.contain('does not match');
    });
  }

  it('refuses a target that comes twice, once of them unsigned, first or last', () => {
    const signed = Object.entries({
      ...HEADERS,
      Authorization: authorizationFor({ time: TIME, headers: HEADERS, body: '{}' }),
    });
    const unsigned = ['x-amz-target', 'TrentService.ScheduleKeyDeletion'] as const;
    expect(refusal(sent([...signed, unsigned], '{}')).code).to.equal('InvalidSignatureException');
    expect(refusal(sent([unsigned, ...signed], '{}')).code).to.equal('InvalidSignatureException');
  });

  it('does not take members of every object for headers', () => {
    const signed = [...Object.keys(HEADERS), 'constructor'];
    expect(refusal(made({ signed })).message).to.equal("The signed header 'constructor' is not in the request.");
  });

  it('accepts headers that come twice and are not signed', () => {
    const signed = Object.entries({
      ...HEADERS,
      Authorization: authorizationFor({ time: TIME, headers: HEADERS, body: '{}' }),
    });
    const request = sent([...signed, ['x-forwarded-for', 'a'], ['X-Forwarded-For', 'b']], '{}');
    expect(verifierAt(NOW).verify(request).credential.accessKeyId).to.equal('AKID');
  });

  const scopes: readonly [string, Partial<RequestToSign>, string][] = [
    ['region', { region: 'eu-west-1' }, "Credential should be scoped to a valid region, not 'eu-west-1'."],
    ['service', { service: 's3' }, "Credential should be scoped to correct service: 'kms'."],
    ['terminator', { terminator: 'aws4' }, "Credential should be scoped with a valid terminator: 'aws4_request'."],
    [
      'day',
      { scopeDate: '20260614' },
      "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20260614' != '20260615', from '20260615T120000Z'.",
    ],
  ];
  for (const [what, sign, message] of scopes) {
    it(`refuses a credential scope of another ${what}`, () => {
      expect(refusal(made(sign))).to.deep.equal({ code: 'InvalidSignatureException', message });
    });
  }

  it('remembers nothing of a claim that it refused, and takes each claim for itself', () => {
    const verifier = verifierAt(NOW);
    expect(() => verifier.verify(made({ region: 'eu-west-1' }))).to.throw('valid region');
    expect(verifier.verify(made()).service).to.equal('kms');
    expect(verifier.verify(made({ service: 'monitoring' })).service).to.equal('monitoring');
    expect(() => verifier.verify(made({ secretAccessKey: 'guess' }))).to.throw('does not match');
  });

  describe('and the hash of the body', () => {
    const declared = (value: string) => ({ ...HEADERS, 'X-Amz-Content-Sha256': value });
    const ofBody = createHash('sha256').update('{}').digest('hex');

    it('may be declared as what it is', () => {
      expect(verifierAt(NOW).verify(made({ headers: declared(ofBody) })).credential.accessKeyId).to.equal('AKID');
    });

    for (const value of [
      'UNSIGNED-PAYLOAD',
      'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
      'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
      'STREAMING-AWS4-HMAC-SHA256-EVENTS',
    ]) {
      it(`may not be replaced by ${value}, however it is signed`, () => {
        for (const payloadHash of [value, ofBody]) {
          const { code, message } = refusal(made({ headers: declared(value), payloadHash }));
          expect(code).to.equal('InvalidSignatureException');
          expect(message).to.contain('unsigned and streamed bodies are not supported');
        }
      });
    }

    it('may not be that of another body, nor empty, nor unsigned', () => {
      for (const value of ['0'.repeat(64), ofBody.toUpperCase(), '']) {
        const { code, message } = refusal(made({ headers: declared(value), payloadHash: value }));
        expect(code).to.equal('InvalidSignatureException');
        expect(message).to.contain('is not the SHA-256 of the body');
      }
      const headers = declared(ofBody);
      expect(refusal(made({ headers, signed: Object.keys(HEADERS) })).message).to.contain(
        "'x-amz-content-sha256' must be",
      );
    });
  });

  it('says which algorithm it does not know, and which parameters it misses', () => {
    for (const algorithm of ['AWS4-ECDSA-P256-SHA256', 'AWS4-HMAC-SHA1', 'AWS4-HMAC-SHA256-PAYLOAD']) {
      expect(refusal(made({ algorithm }))).to.deep.equal({
        code: 'IncompleteSignatureException',
        message: `Unsupported AWS 'algorithm': '${algorithm}'.`,
      });
    }
    const scope = 'Credential=AKID/20260615/us-east-1/kms';
    const signature = `Signature=${'0'.repeat(64)}`;
    const said: readonly (readonly [string, string])[] = [
      [`${scope}/aws4_request, SignedHeaders=host`, "Authorization header requires 'Signature' parameter."],
      [
        signature,
        "Authorization header requires 'Credential' parameter. Authorization header requires 'SignedHeaders' parameter.",
      ],
      [
        `${scope}, SignedHeaders=host, ${signature}`,
        "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'AKID/20260615/us-east-1/kms'",
      ],
    ];
    for (const [parameters, message] of said) {
      expect(refusal(bare(`AWS4-HMAC-SHA256 ${parameters}`)).message).to.equal(message);
    }
  });

  it('takes the last one of two Authorization headers for nothing, and the first one neither', () => {
    const good = authorizationFor({ time: TIME, headers: HEADERS, body: '{}' });
    const bad = good.replace(/[0-9a-f]{64}$/, '0'.repeat(64));
    for (const pair of [
      [good, bad],
      [bad, good],
      [good, good],
    ]) {
      const headers = [...Object.entries(HEADERS), ...pair.map((value) => ['Authorization', value] as const)];
      expect(refusal(sent(headers, '{}')).code).to.equal('IncompleteSignatureException');
    }
  });

  for (const name of ['host', 'x-amz-date', 'x-amz-target']) {
    it(`refuses requests that do not sign ${name}`, () => {
      const signed = Object.keys(HEADERS).filter((header) => header.toLowerCase() !== name);
      const { code, message } = refusal(made({ signed }));
      expect(code).to.equal('InvalidSignatureException');
      expect(message.toLowerCase()).to.contain(`'${name}'`).and.to.contain("must be a 'signedheader'");
    });
  }

  it('refuses a signed header that is not there, and names out of order', () => {
    expect(refusal(made({ signed: [...Object.keys(HEADERS), 'x-missing'] })).message).to.contain("'x-missing'");
    const disordered = Object.entries({
      ...HEADERS,
      Authorization: authorizationFor({ time: TIME, headers: HEADERS }).replace(
        'content-type;host',
        'host;content-type',
      ),
    });
    expect(refusal(sent(disordered, '{}')).message).to.contain('not sorted');
  });

  it('refuses more signed headers than anybody needs', () => {
    const extra = Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`x-h${index}`, '1']));
    expect(refusal(made({ headers: { ...HEADERS, ...extra } })).message).to.equal('Too many headers are signed.');
  });

  it('does not know the access key', () => {
    expect(refusal(made({ accessKeyId: 'AKIDNOBODY' }))).to.deep.equal({
      code: 'UnrecognizedClientException',
      message: 'The security token included in the request is invalid.',
    });
  });

  it('misses a signature', () => {
    for (const authorization of [undefined, '']) {
      expect(refusal(bare(authorization)).code).to.equal('MissingAuthenticationTokenException');
    }
  });

  for (const authorization of [
    'Bearer abc',
    'AWS4-HMAC-SHA256',
    `AWS4-HMAC-SHA256 Credential=AKID/20260615/us-east-1/kms, SignedHeaders=host, Signature=${'0'.repeat(64)}`,
    'AWS4-HMAC-SHA256 Credential=AKID/20260615/us-east-1/kms/aws4_request, SignedHeaders=host, Signature=00',
    `AWS4-HMAC-SHA256 Credential=AKID/20260615/us-east-1/kms/aws4_request, Signature=${'0'.repeat(64)}`,
    `AWS4-ECDSA-P256-SHA256 Credential=AKID/20260615/kms/aws4_request, SignedHeaders=host, Signature=${'0'.repeat(64)}`,
  ]) {
    it(`does not take ${authorization.slice(0, 60)}… for a signature`, () => {
      expect(refusal(bare(authorization)).code).to.equal('IncompleteSignatureException');
    });
  }

  it('misses the time, and does not take other words for one', () => {
    const { 'X-Amz-Date': _, ...headers } = HEADERS;
    expect(refusal(made({ headers })).code).to.equal('IncompleteSignatureException');
    for (const word of ['now', new Date(NOW).toUTCString(), '2026-06-15T12:00:00Z', '20261315T120000Z', '']) {
      const { code, message } = refusal(made({ headers: { ...HEADERS, 'X-Amz-Date': word } }));
      expect(code).to.equal('IncompleteSignatureException');
      expect(message).to.contain("Date must be in ISO-8601 'basic format'.");
    }
  });

  describe('with a session token', () => {
    const temporary = { accessKeyId: 'ASIA', secretAccessKey: 'temporary' };
    const withToken = (token: string) => ({ ...HEADERS, 'X-Amz-Security-Token': token });

    it('accepts the credential’s own', () => {
      const request = made({ ...temporary, headers: withToken('token==') });
      expect(verifierAt(NOW).verify(request).credential.accessKeyId).to.equal('ASIA');
    });

    it('refuses another, none, and one for a credential that has none', () => {
      for (const sign of [
        { ...temporary, headers: withToken('token') },
        { ...temporary },
        { headers: withToken('token==') },
      ]) {
        expect(refusal(made(sign)).code).to.equal('UnrecognizedClientException');
      }
    });

    it('refuses one that is not signed', () => {
      const request = made({ ...temporary, headers: withToken('token=='), signed: Object.keys(HEADERS) });
      expect(refusal(request).message).to.contain("'x-amz-security-token' must be");
    });

    it('refuses a credential that has ended', () => {
      const headers = withToken('token==');
      expect(refusal(made({ ...temporary, headers }), NOW + 1000).code).to.equal('ExpiredTokenException');
    });
  });
});
