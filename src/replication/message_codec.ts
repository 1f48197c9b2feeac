import { toBase64Url } from '../bytes.js';
import type { WrappedMaterial } from '../hsm/material.js';
import type { JsonInput } from '../wire/jws.js';
import { Members } from '../wire/members.js';
import { isMaterialId } from '../wire/names.js';
import { refuse, refusing, type Reject } from '../wire/refusal.js';
import type { JsonObject, JsonValue } from '../wire/strict_json.js';
import { isReplicationSuite, REPLICATION_SUITES, type ReplicationSuite } from '../wire/suite.js';
import { REPLICATION_LIMITS as LIMITS } from './limits.js';
import {
  MESSAGES,
  REPORTED_STATES,
  typOf,
  type Bodies,
  type Envelope,
  type Message,
  type MessageName,
} from './message.js';

const HASH_OCTETS = 48;
const NONCE_OCTETS = 32;
const ENVELOPE = [
  'v',
  't',
  'part',
  'sid',
  'seq',
  'iss',
  'dst',
  'role',
  'epoch',
  'rosterHash',
  'prev',
  'iat',
  'exp',
] as const;
const CODE = /^[A-Z_]{1,32}$/;

function hasMember(item: JsonValue, name: string): boolean {
  return typeof item === 'object' && item !== null && !Array.isArray(item) && name in item;
}

/** @param optional - a member that a key may have besides */
function readKeys<T>(
  members: Members,
  names: readonly string[],
  read: (key: Members) => T,
  optional: readonly string[] = [],
): readonly T[] {
  const keys = members.list(
    'keys',
    { min: 1, max: LIMITS.keysPerTransferMax },
    (item, path) => new Members(item, [...names, ...optional.filter((name) => hasMember(item, name))], path),
  );
  const ids = keys.map((key) => key.keyId('keyId'));
  if (new Set(ids).size !== ids.length) refuse('SYNTAX', 'keys', 'A key occurs twice.');
  return keys.map(read);
}

function readSuites(members: Members, name: string): readonly ReplicationSuite[] {
  return members.texts(name, { min: 1, max: REPLICATION_SUITES.length }, isReplicationSuite).filter(isReplicationSuite);
}

function readPoint(members: Members, name: string): Uint8Array {
  const point = new Members(members.value(name), ['crv', 'pt'], name);
  point.literal('crv', 'P-384', 'POINT');
  return point.octets('pt', { lengthMax: 1024, code: 'POINT' });
}

const WRAPPED_MEMBERS = ['materialId', 'class', 'keyType', 'len', 'blob'] as const;
const SECRET_KEY_TYPES: readonly WrappedMaterial['keyType'][] = ['CKK_AES', 'CKK_GENERIC_SECRET'];
const PRIVATE_KEY_TYPES: readonly WrappedMaterial['keyType'][] = ['CKK_RSA', 'CKK_EC', 'CKK_EC_EDWARDS'];

function readWrapped(item: JsonValue, path: string): WrappedMaterial {
  // A private key comes with its public half, and a secret has none.
  const isPrivateKey =
    typeof item === 'object' && item !== null && 'class' in item && item['class'] === 'CKO_PRIVATE_KEY';
  const members = new Members(item, [...WRAPPED_MEMBERS, ...(isPrivateKey ? ['pub'] : [])], path);
  return {
    materialId: members.materialId('materialId'),
    class: members.oneOf('class', ['CKO_SECRET_KEY', 'CKO_PRIVATE_KEY']),
    keyType: members.oneOf('keyType', isPrivateKey ? PRIVATE_KEY_TYPES : SECRET_KEY_TYPES),
    lengthOctets: members.integer('len'),
    publicKey: isPrivateKey ? members.octets('pub', { lengthMax: LIMITS.publicKeyOctetsMax }) : null,
    blob: members.octets('blob', { lengthMax: LIMITS.wrappedBlobOctetsMax }),
  };
}

const MATERIALS = { min: 1, max: LIMITS.materialsPerKeyMax } as const;

/** Reads the members that one message has besides the envelope. */
const READERS: {
  readonly [Name in MessageName]: { readonly members: readonly string[]; read(members: Members): Bodies[Name] };
} = {
  intent: {
    members: ['na', 'keys', 'suitesS', 'policyFloor'],
    read: (members) => ({
      nonce: members.encoded('na', NONCE_OCTETS),
      keys: readKeys(
        members,
        ['keyId', 'birthCert', 'handovers', 'gen', 'metaHash', 'materialIds'],
        (key) => ({
          keyId: key.keyId('keyId'),
          birthCertificate: key.text('birthCert'),
          handovers: key.texts('handovers', { max: LIMITS.handoversMax }, () => true),
          generation: key.counter('gen'),
          metadataHash: key.encoded('metaHash', HASH_OCTETS),
          materialIds: key.texts('materialIds', MATERIALS, isMaterialId),
          ...(key.has('create') && { create: key.literal('create', true) }),
          ...(key.has('nextPrimary') && { nextPrimary: key.name('nextPrimary') }),
        }),
        ['create', 'nextPrimary'],
      ),
      suites: readSuites(members, 'suitesS'),
      floor: members.oneOf('policyFloor', REPLICATION_SUITES),
    }),
  },
  offer: {
    members: ['keys', 'suitesD', 'rakb', 'dCap'],
    read: (members) => ({
      keys: readKeys(
        members,
        ['keyId', 'gen'],
        (key) => ({
          keyId: key.keyId('keyId'),
          generation: key.counter('gen'),
          ...(key.has('certs') && {
            certificates: key.texts('certs', { min: 1, max: LIMITS.handoversMax + 1 }, () => true),
          }),
        }),
        ['certs'],
      ),
      suites: readSuites(members, 'suitesD'),
      point: readPoint(members, 'rakb'),
      fingerprint: new Members(members.value('dCap'), ['fingerprint'], 'dCap').text('fingerprint', 256),
    }),
  },
  transfer: {
    members: ['suite', 'raka', 'keys', 'kcS'],
    read: (members) => ({
      suite: members.oneOf('suite', REPLICATION_SUITES),
      point: readPoint(members, 'raka'),
      keys: readKeys(members, ['keyId', 'gen', 'ctx', 'wrapped'], (key) => ({
        keyId: key.keyId('keyId'),
        generation: key.counter('gen'),
        context: key.octets('ctx'),
        wrapped: key.list('wrapped', { min: 0, max: LIMITS.materialsPerKeyMax }, readWrapped),
      })),
      confirmation: members.octets('kcS', { length: HASH_OCTETS, code: 'KC' }),
    }),
  },
  confirm: {
    members: ['keys', 'kcD'],
    read: (members) => ({
      keys: readKeys(members, ['keyId', 'gen', 'installed', 'replicaState'], (key) => ({
        keyId: key.keyId('keyId'),
        generation: key.counter('gen'),
        // One more: imported material that waits for a rotation.
        installed: key.texts('installed', { min: 1, max: LIMITS.materialsPerKeyMax + 1 }, isMaterialId),
        replicaState: key.literal('replicaState', 'Enabled'),
      })),
      confirmation: members.octets('kcD', { length: HASH_OCTETS, code: 'KC' }),
    }),
  },
  close: {
    members: ['ack'],
    read: (members) => {
      members.literal('ack', true);
      return {};
    },
  },
  abort: {
    members: ['intent', 'code', 'state', 'highWater', 'rosters'],
    read: (members) => ({
      intent: members.nullable('intent', () => members.encoded('intent', HASH_OCTETS)),
      code: CODE.test(members.text('code')) ? members.text('code') : refuse('SYNTAX', 'code', 'Not a code.'),
      state: members.oneOf('state', REPORTED_STATES),
      highWater: members.nullable('highWater', () => members.counter('highWater')),
      rosters: members.texts('rosters', { max: LIMITS.rostersPerMessageMax }, () => true),
    }),
  },
  query: {
    members: ['intent'],
    read: (members) => ({ intent: members.nullable('intent', () => members.encoded('intent', HASH_OCTETS)) }),
  },
  status: {
    members: ['intent', 'state'],
    read: (members) => ({
      intent: members.nullable('intent', () => members.encoded('intent', HASH_OCTETS)),
      state: members.oneOf('state', REPORTED_STATES),
    }),
  },
};

function checkAbsentConfirmation(name: MessageName, payload: JsonObject): void {
  const member = name === 'transfer' ? 'kcS' : name === 'confirm' ? 'kcD' : undefined;
  if (member !== undefined && !(member in payload)) refuse('KC', member, 'The key confirmation is missing.');
}

/**
 * Reads a verified payload as the message that its type says: exactly the members of docs/PROTOCOL.md section 4.
 *
 * @returns the message, or a refusal `SYNTAX`, `TYP`, `LIMIT`, `KC` or `POINT` with the member's path
 */
export function decodeMessage(name: MessageName, payload: JsonObject): Message | Reject {
  return refusing(() => {
    if (payload['t'] !== typOf(name)) refuse('TYP', 't', 'The payload is of another type than the header.');
    checkAbsentConfirmation(name, payload);
    const reader = READERS[name];
    const members = new Members(payload, [...ENVELOPE, ...reader.members]);
    members.literal('v', 1);
    members.literal('t', typOf(name), 'TYP');
    const { seq, role } = MESSAGES[name];
    members.literal('seq', seq, 'TYP');
    const envelope: Envelope = {
      partition: members.name('part'),
      sid: members.nullable('sid', () => members.encoded('sid', NONCE_OCTETS)),
      issuer: members.name('iss'),
      destination: members.name('dst'),
      role: role === null ? members.oneOf('role', ['S', 'D']) : members.literal('role', role, 'TYP'),
      epoch: members.counter('epoch'),
      rosterHash: members.encoded('rosterHash', HASH_OCTETS),
      prev: members.nullable('prev', () => members.encoded('prev', HASH_OCTETS)),
      issuedAtMs: members.integer('iat'),
      expiresAtMs: members.integer('exp'),
    };
    const bound = name === 'offer' || name === 'transfer' || name === 'confirm' || name === 'close';
    if (bound && envelope.sid === null) refuse('SYNTAX', 'sid', 'The message needs a session id.');
    if (bound && envelope.prev === null) refuse('SYNTAX', 'prev', 'The message answers no message.');
    if (name === 'intent' && envelope.sid !== null) refuse('SYNTAX', 'sid', 'An intent has no session yet.');
    if (name === 'intent' && envelope.prev !== null) refuse('SYNTAX', 'prev', 'An intent answers no message.');
    return { name, envelope, body: reader.read(members) } as Message;
  });
}

const encodePoint = (point: Uint8Array): JsonInput => ({ crv: 'P-384', pt: toBase64Url(point) });

/** Writes the members that one message has besides the envelope. */
const WRITERS: { readonly [Name in MessageName]: (body: Bodies[Name]) => { readonly [member: string]: JsonInput } } = {
  intent: (body) => ({
    na: body.nonce,
    keys: body.keys.map((key) => ({
      keyId: key.keyId,
      birthCert: key.birthCertificate,
      handovers: key.handovers,
      gen: key.generation.toString(),
      metaHash: key.metadataHash,
      materialIds: key.materialIds,
      ...(key.create === true && { create: true }),
      ...(key.nextPrimary !== undefined && { nextPrimary: key.nextPrimary }),
    })),
    suitesS: body.suites,
    policyFloor: body.floor,
  }),
  offer: (body) => ({
    keys: body.keys.map((key) => ({
      keyId: key.keyId,
      gen: key.generation.toString(),
      ...(key.certificates !== undefined && { certs: key.certificates }),
    })),
    suitesD: body.suites,
    rakb: encodePoint(body.point),
    dCap: { fingerprint: body.fingerprint },
  }),
  transfer: (body) => ({
    suite: body.suite,
    raka: encodePoint(body.point),
    keys: body.keys.map((key) => ({
      keyId: key.keyId,
      gen: key.generation.toString(),
      ctx: toBase64Url(key.context),
      wrapped: key.wrapped.map((material) => ({
        materialId: material.materialId,
        class: material.class,
        keyType: material.keyType,
        len: material.lengthOctets,
        ...(material.publicKey !== null && { pub: toBase64Url(material.publicKey) }),
        blob: toBase64Url(material.blob),
      })),
    })),
    kcS: toBase64Url(body.confirmation),
  }),
  confirm: (body) => ({
    keys: body.keys.map((key) => ({
      keyId: key.keyId,
      gen: key.generation.toString(),
      installed: key.installed,
      replicaState: key.replicaState,
    })),
    kcD: toBase64Url(body.confirmation),
  }),
  close: () => ({ ack: true }),
  abort: (body) => ({
    intent: body.intent,
    code: body.code,
    state: body.state,
    highWater: body.highWater?.toString() ?? null,
    rosters: body.rosters,
  }),
  query: (body) => ({ intent: body.intent }),
  status: (body) => ({ intent: body.intent, state: body.state }),
};

/** The payload of a message, ready to be signed with {@link typOf} in the header. */
export function encodeMessage(message: Message): { readonly [member: string]: JsonInput } {
  const { name, envelope } = message;
  const write = WRITERS[name] as (body: Message['body']) => { readonly [member: string]: JsonInput };
  return {
    v: 1,
    t: typOf(name),
    part: envelope.partition,
    sid: envelope.sid,
    seq: MESSAGES[name].seq,
    iss: envelope.issuer,
    dst: envelope.destination,
    role: envelope.role,
    epoch: envelope.epoch.toString(),
    rosterHash: envelope.rosterHash,
    prev: envelope.prev,
    iat: envelope.issuedAtMs,
    exp: envelope.expiresAtMs,
    ...write(message.body),
  };
}
