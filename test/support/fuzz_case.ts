import { OPERATIONS } from '../../src/surfaces/aws/operations.js';
import type { Chance } from './chance.js';
import { authorizationFor, basicTime } from './sign_request.js';

/** One request of a fuzz run. */
export interface FuzzCase {
  /** What was done to it, for the report. */
  readonly kind: 'body' | 'members' | 'target' | 'header' | 'scope' | 'octets';
  /** The request as it goes over the wire. */
  readonly octets: Buffer;
  /** Whether the connection is of no use behind it. */
  readonly isLast: boolean;
}

/** Who signs, and what is there to be named. */
export interface FuzzWorld {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Ids of keys, names of aliases, tokens: everything that a member may hold. */
  readonly names: readonly string[];
}

const NAMES = [...OPERATIONS.keys()];
const MEMBERS = [
  ...['KeyId', 'Plaintext', 'CiphertextBlob', 'EncryptionContext', 'GrantTokens', 'EncryptionAlgorithm', 'DryRun'],
  ...['KeySpec', 'NumberOfBytes', 'Message', 'MessageType', 'SigningAlgorithm', 'Signature', 'Mac', 'MacAlgorithm'],
  ...['AliasName', 'TargetKeyId', 'Tags', 'TagKeys', 'Policy', 'PolicyName', 'Description', 'Limit', 'Marker'],
  ...['GranteePrincipal', 'Operations', 'Constraints', 'GrantId', 'ReplicaRegion', 'PrimaryRegion', 'MultiRegion'],
  ...['KeyUsage', 'Origin', 'PendingWindowInDays', 'RotationPeriodInDays', 'ValidTo', 'ExpirationModel', 'KeyPairSpec'],
  ...['DestinationKeyId', 'SourceEncryptionContext', 'ImportToken', 'EncryptedKeyMaterial', 'PublicKey', 'Recipient'],
];
/** Key specs that take a token long are left out: the time goes to cases. */
const WORDS = [
  ...['SYMMETRIC_DEFAULT', 'HMAC_256', 'ECC_NIST_P256', 'ENCRYPT_DECRYPT', 'SIGN_VERIFY', 'GENERATE_VERIFY_MAC'],
  ...['AES_256', 'RAW', 'DIGEST', 'ECDSA_SHA_256', 'HMAC_SHA_256', 'AWS_KMS', 'EXTERNAL', 'us-east-1', 'eu-west-1'],
  ...[
    'default',
    'alias/x',
    'alias/aws/x',
    'Decrypt',
    'Encrypt',
    'TagKey',
    'TagValue',
    'Key',
    '__proto__',
    'constructor',
  ],
  ...[
    '',
    ' ',
    '\u0000',
    '\ud800',
    '\u{1f511}',
    'a'.repeat(3000),
    'AAAA',
    '====',
    'arn:aws:kms:::',
    'null',
    '-1',
    '1e400',
  ],
];
const NUMBERS = [0, -0, 1, -1, 7, 30, 2560, 4097, 0.5, 1e21, Number.MAX_SAFE_INTEGER, -1e308];

/** Makes the next case. */
export function makeCase(chance: Chance, world: FuzzWorld): FuzzCase {
  const kinds = ['body', 'members', 'members', 'members', 'target', 'header', 'scope', 'octets'] as const;
  const kind = chance.pick(kinds) ?? 'members';
  const operation = chance.pick(NAMES) ?? '';
  const request: Draft = {
    method: 'POST',
    target: '/',
    body: Buffer.from(JSON.stringify(someMembers(chance, world))),
    headers: new Map([
      ['host', '127.0.0.1'],
      ['content-type', 'application/x-amz-json-1.1'],
      ['x-amz-date', basicTime(Date.now())],
      ['x-amz-target', `TrentService.${operation}`],
    ]),
  };
  switch (kind) {
    case 'members':
      return { kind, octets: render(sign(request, world)), isLast: false };
    case 'body':
      request.body = mutate(chance, request.body);
      return { kind, octets: render(sign(request, world)), isLast: false };
    case 'target':
      request.headers.set('x-amz-target', headerText(mutate(chance, Buffer.from(`TrentService.${operation}`))));
      return { kind, octets: render(sign(request, world)), isLast: false };
    case 'scope': {
      request.method = chance.pick(['POST', 'GET', 'PUT', 'DELETE', 'HEAD', 'OPTIONS']) ?? 'GET';
      request.target = `/${encodeURIComponent(someText(chance, world).replace(/\p{Surrogate}/gu, '?')).slice(0, 500)}`;
      const service = chance.pick(['kms', 'monitoring', 'cloudtrail', 's3', 'sts']) ?? 'kms';
      // Their signatures are good where there is no path to encode.
      if (chance.below(2) === 0) request.target = '/';
      return { kind, octets: render(sign(request, world, service)), isLast: request.method === 'HEAD' };
    }
    case 'header': {
      const signed = sign(request, world);
      const name = chance.pick([...signed.headers.keys()]) ?? 'host';
      const value = signed.headers.get(name) ?? '';
      const change = chance.below(3);
      if (change === 0) signed.headers.delete(name);
      else if (change === 1) signed.headers.set(name, headerText(mutate(chance, Buffer.from(value))));
      else signed.headers.set(chance.pick(EXTRA_HEADERS) ?? 'cookie', someHeader(chance));
      // Without its Host a request is none of HTTP/1.1.
      return { kind, octets: render(signed), isLast: !signed.headers.has('host') };
    }
    case 'octets':
      return { kind, octets: mutate(chance, render(sign(request, world))), isLast: true };
  }
}

const EXTRA_HEADERS = ['x-amz-security-token', 'x-amz-content-sha256', 'date', 'x-amz-user-agent', 'expect', 'cookie'];

interface Draft {
  method: string;
  target: string;
  body: Buffer;
  readonly headers: Map<string, string>;
}

function sign(draft: Draft, world: FuzzWorld, service = 'kms'): Draft {
  const { accessKeyId, secretAccessKey } = world;
  const authorization = authorizationFor({
    accessKeyId,
    secretAccessKey,
    service,
    method: draft.method,
    time: draft.headers.get('x-amz-date') ?? '',
    headers: Object.fromEntries(draft.headers),
    body: draft.body,
  });
  return { ...draft, headers: new Map([...draft.headers, ['authorization', authorization]]) };
}

function render({ method, target, headers, body }: Draft): Buffer {
  const lines = [...headers].map(([name, value]) => `${name}: ${value}\r\n`).join('');
  const head = `${method} ${target} HTTP/1.1\r\n${lines}content-length: ${body.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head, 'latin1'), body]);
}

function someMembers(chance: Chance, world: FuzzWorld): Record<string, unknown> {
  const members: Record<string, unknown> = {};
  // Most operations want a key: without one nothing behind the first check would be reached.
  if (chance.below(4) > 0) members['KeyId'] = chance.pick(world.names);
  for (let count = chance.below(6); count > 0; count -= 1) {
    members[chance.pick(MEMBERS) ?? ''] = someValue(chance, world, 0);
  }
  return members;
}

function someValue(chance: Chance, world: FuzzWorld, depth: number): unknown {
  switch (chance.below(depth > 2 ? 6 : 8)) {
    case 0:
      return chance.pick(NUMBERS);
    case 1:
      return chance.pick([true, false, null]);
    case 2:
      return randomOctets(chance, chance.below(200)).toString('base64');
    case 6:
      return Array.from({ length: chance.below(4) }, () => someValue(chance, world, depth + 1));
    case 7: {
      const name = (): string => chance.pick([...WORDS, ...MEMBERS]) ?? '';
      return Object.fromEntries(
        Array.from({ length: chance.below(4) }, () => [name(), someValue(chance, world, depth + 1)]),
      );
    }
    default:
      return someText(chance, world);
  }
}

function someText(chance: Chance, world: FuzzWorld): string {
  return chance.pick(chance.below(3) === 0 ? world.names : WORDS) ?? '';
}

function someHeader(chance: Chance): string {
  return headerText(randomOctets(chance, chance.below(80)));
}

/** Octets that a header can hold: none of those that end a line. */
function headerText(octets: Buffer): string {
  return octets.toString('latin1').replace(/[\r\n\0]/g, '?');
}

function randomOctets(chance: Chance, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => chance.below(256)));
}

/** Changes, inserts, removes or repeats some octets. */
function mutate(chance: Chance, octets: Buffer): Buffer {
  let changed = octets;
  for (let count = 1 + chance.below(4); count > 0; count -= 1) {
    const at = chance.below(changed.length + 1);
    const span = 1 + chance.below(8);
    const [before, behind] = [changed.subarray(0, at), changed.subarray(at)];
    switch (chance.below(5)) {
      case 0:
        changed = Buffer.concat([before, randomOctets(chance, span), behind]);
        break;
      case 1:
        changed = Buffer.concat([before, behind.subarray(span)]);
        break;
      case 2:
        changed = Buffer.concat([before, randomOctets(chance, span), behind.subarray(span)]);
        break;
      case 3:
        changed = Buffer.concat([before, behind.subarray(0, span), behind]);
        break;
      default:
        changed = before;
    }
  }
  return changed;
}
