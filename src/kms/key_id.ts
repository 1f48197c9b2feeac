import { KmsError } from './errors.js';

declare const brand: unique symbol;

/** Key id without ARN: a lower-case UUID, or `mrk-` and 32 hex digits. */
export type KeyId = string & { readonly [brand]: 'KeyId' };

/** Where a region's keys live; the fixed parts of their ARNs. */
export interface KeyHome {
  /** `aws`, `aws-cn`, … */
  readonly partition: string;
  readonly region: string;
  /** 12 digits. */
  readonly account: string;
}

const SINGLE_REGION_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const MULTI_REGION_ID = /^mrk-[0-9a-f]{32}$/;
const ARN = /^arn:([^:]*):([^:]*):([^:]*):([^:]*):(.*)$/s;

/** Whether a text has the form of a key id. */
export function isKeyId(text: string): text is KeyId {
  return SINGLE_REGION_ID.test(text) || MULTI_REGION_ID.test(text);
}

/** ARN of a key in this region. */
export function keyArn(home: KeyHome, keyId: string): string {
  return `arn:${home.partition}:kms:${home.region}:${home.account}:key/${keyId}`;
}

/** ARN of an alias; `name` begins with `alias/`. */
export function aliasArn(home: KeyHome, name: string): string {
  return `arn:${home.partition}:kms:${home.region}:${home.account}:${name}`;
}

/** What a `KeyId` member names in this region. */
export type KeyReference =
  | { readonly kind: 'key'; readonly keyId: KeyId; readonly arn: string }
  | { readonly kind: 'alias'; readonly name: string; readonly arn: string };

/** `key-or-alias` for DescribeKey and the cryptographic operations, `key` for all others. */
export type AcceptedReference = 'key' | 'key-or-alias';

/**
 * Reads a `KeyId` member: key id, key ARN, and where they are accepted alias name and alias ARN.
 *
 * @throws {@link KmsError} `NotFoundException`: not the form of an identifier, or an ARN of another region
 * @source AWS KMS Developer Guide, "Key identifiers"; recorded answers for the texts
 */
export function parseKeyReference(text: string, home: KeyHome, accepted: AcceptedReference): KeyReference {
  if (isKeyId(text)) return { kind: 'key', keyId: text, arn: keyArn(home, text) };
  if (text.startsWith('alias/')) {
    if (accepted === 'key') throw invalidKeyId(text);
    return { kind: 'alias', name: text, arn: aliasArn(home, text) };
  }
  const arn = ARN.exec(text);
  if (arn === null) throw invalidKeyId(text);
  const [, partition, service, region, , resource = ''] = arn;
  if (region !== home.region) throw new KmsError('NotFoundException', `Invalid arn ${region}`);
  if (partition !== home.partition || service !== 'kms') throw new KmsError('NotFoundException', `Invalid arn ${text}`);
  if (resource.startsWith('key/')) {
    const keyId = resource.slice('key/'.length);
    if (!isKeyId(keyId)) throw invalidKeyId(keyId);
    return { kind: 'key', keyId, arn: text };
  }
  if (resource.startsWith('alias/') && accepted === 'key-or-alias') return { kind: 'alias', name: resource, arn: text };
  throw invalidKeyId(text);
}

/**
 * The alias that a `KeyId` member names a key by, with its prefix: the value of `kms:RequestAlias`. Undefined where it names the key
 * itself.
 *
 * @param text - a member that {@link parseKeyReference} has accepted
 */
export function requestAlias(text: string | undefined): string | undefined {
  if (text === undefined || text.startsWith('alias/')) return text;
  const at = text.indexOf(':alias/');
  return at < 0 ? undefined : text.slice(at + 1);
}

function invalidKeyId(text: string): KmsError {
  return new KmsError('NotFoundException', `Invalid keyId '${text}'`);
}

/** A well-formed identifier of a key that is not here. */
export function keyNotFound(arn: string): KmsError {
  return new KmsError('NotFoundException', `Key '${arn}' does not exist`);
}

/** An alias that is not here. */
export function aliasNotFound(arn: string): KmsError {
  return new KmsError('NotFoundException', `Alias ${arn} is not found.`);
}
