import type { KeyId } from './key_id.js';
import type { KeyRecord } from './key_record.js';
import type { EncryptionContext } from './ports.js';

/**
 * What a grant can permit.
 *
 * @source AWS KMS API Reference, CreateGrant, member Operations
 */
export const GRANT_OPERATIONS = [
  'Decrypt',
  'Encrypt',
  'GenerateDataKey',
  'GenerateDataKeyWithoutPlaintext',
  'ReEncryptFrom',
  'ReEncryptTo',
  'Sign',
  'Verify',
  'GetPublicKey',
  'CreateGrant',
  'RetireGrant',
  'DescribeKey',
  'GenerateDataKeyPair',
  'GenerateDataKeyPairWithoutPlaintext',
  'GenerateMac',
  'VerifyMac',
  'DeriveSharedSecret',
  'Encapsulate',
  'Decapsulate',
] as const;
export type GrantOperation = (typeof GRANT_OPERATIONS)[number];

/** `GrantConstraints` of the AWS KMS API: all that are there have to hold. */
export interface GrantConstraints {
  /** The request's encryption context has these pairs. */
  readonly EncryptionContextSubset?: EncryptionContext;
  /** The request's encryption context is this one. */
  readonly EncryptionContextEquals?: EncryptionContext;
  /** The request comes from a service, for this resource. */
  readonly SourceArn?: string;
}

/** What a grant lets its grantee do. */
export interface GrantPermission {
  readonly operations: readonly GrantOperation[];
  readonly constraints: GrantConstraints;
}

/** Whom a grant names: a principal by its ARN, or a service by its name, for example `ec2.us-east-1.amazonaws.com`. */
export type GrantParty = { readonly kind: 'principal' | 'service'; readonly name: string };

/** A grant. Never changed: it is made, and retired or revoked. */
export interface GrantRecord extends GrantPermission {
  /** 64 lower-case hex digits. */
  readonly grantId: string;
  readonly keyId: KeyId;
  /** What makes a repeated request find the grant that it made before. */
  readonly name: string | null;
  readonly createdMs: number;
  readonly grantee: GrantParty;
  readonly retiring: GrantParty | null;
  /** ARN of the root of the account that made it. */
  readonly issuingAccount: string;
}

/** What a permission is asked about. */
export interface GrantedRequest {
  /** Permission without `kms:`. */
  readonly operation: string;
  readonly encryptionContext: EncryptionContext | undefined;
  /** Resource for which a service calls; absent in calls that no service makes. */
  readonly sourceArn: string | undefined;
}

/** Operations whose encryption context a constraint looks at. */
const CONTEXT_OPERATIONS: ReadonlySet<string> = new Set<GrantOperation>([
  'Decrypt',
  'Encrypt',
  'GenerateDataKey',
  'GenerateDataKeyPair',
  'GenerateDataKeyPairWithoutPlaintext',
  'GenerateDataKeyWithoutPlaintext',
  'ReEncryptFrom',
  'ReEncryptTo',
]);

const ALWAYS = ['CreateGrant', 'DescribeKey', 'RetireGrant'] as const satisfies readonly GrantOperation[];
const ENCRYPTION = ['Decrypt', 'Encrypt', 'ReEncryptFrom', 'ReEncryptTo'] as const satisfies readonly GrantOperation[];
const OF_USAGE: Readonly<Record<KeyRecord['keyUsage'], readonly GrantOperation[]>> = {
  ENCRYPT_DECRYPT: [...ENCRYPTION, 'GetPublicKey'],
  SIGN_VERIFY: ['Sign', 'Verify', 'GetPublicKey'],
  GENERATE_VERIFY_MAC: ['GenerateMac', 'VerifyMac'],
  KEY_AGREEMENT: ['DeriveSharedSecret', 'GetPublicKey'],
};
const OF_SYMMETRIC: readonly GrantOperation[] = [
  ...ENCRYPTION,
  'GenerateDataKey',
  'GenerateDataKeyWithoutPlaintext',
  'GenerateDataKeyPair',
  'GenerateDataKeyPairWithoutPlaintext',
];

/** What a grant can permit on a key of this spec and usage. */
export function grantOperationsOf(record: Pick<KeyRecord, 'keySpec' | 'keyUsage'>): readonly GrantOperation[] {
  return [...ALWAYS, ...(record.keySpec === 'SYMMETRIC_DEFAULT' ? OF_SYMMETRIC : OF_USAGE[record.keyUsage])];
}

/**
 * Whether a permission covers a request. Names and values of encryption contexts are compared with case.
 *
 * @source AWS KMS Developer Guide, "Using grant constraints"
 */
export function permits(permission: GrantPermission, request: GrantedRequest): boolean {
  const { operations, constraints } = permission;
  if (!operations.some((operation) => operation === request.operation)) return false;
  const { EncryptionContextSubset: subset, EncryptionContextEquals: whole, SourceArn: source } = constraints;
  if (source !== undefined && source !== request.sourceArn) return false;
  if (!CONTEXT_OPERATIONS.has(request.operation)) return true;
  const context = request.encryptionContext ?? {};
  return (subset === undefined || includes(context, subset)) && (whole === undefined || isSame(context, whole));
}

/**
 * Whether whoever has a permission may hand another one on: nothing beyond the own operations, under constraints that are as strict.
 *
 * @source AWS KMS Developer Guide, "Granting CreateGrant permission"
 */
export function mayHandOn(own: GrantPermission, other: GrantPermission): boolean {
  if (!other.operations.every((operation) => own.operations.includes(operation))) return false;
  const { EncryptionContextSubset: subset, EncryptionContextEquals: whole, SourceArn: source } = own.constraints;
  const given = other.constraints;
  if (source !== undefined && given.SourceArn !== source) return false;
  if (whole !== undefined) {
    const { EncryptionContextEquals: again } = given;
    if (again === undefined || !isSame(again, whole)) return false;
  }
  if (subset === undefined) return true;
  return [given.EncryptionContextSubset, given.EncryptionContextEquals].some(
    (context) => context !== undefined && includes(context, subset),
  );
}

/** Whether two grants are the same but for their ids and times. */
export function isSameGrant(
  one: Omit<GrantRecord, 'grantId' | 'createdMs'>,
  other: Omit<GrantRecord, 'grantId' | 'createdMs'>,
): boolean {
  return (
    one.keyId === other.keyId &&
    one.name === other.name &&
    one.issuingAccount === other.issuingAccount &&
    isSameParty(one.grantee, other.grantee) &&
    isSameParty(one.retiring, other.retiring) &&
    one.operations.length === other.operations.length &&
    one.operations.every((operation) => other.operations.includes(operation)) &&
    one.constraints.SourceArn === other.constraints.SourceArn &&
    isSameOrAbsent(one.constraints.EncryptionContextEquals, other.constraints.EncryptionContextEquals) &&
    isSameOrAbsent(one.constraints.EncryptionContextSubset, other.constraints.EncryptionContextSubset)
  );
}

function isSameParty(one: GrantParty | null, other: GrantParty | null): boolean {
  return one?.kind === other?.kind && one?.name === other?.name;
}

function isSameOrAbsent(one: EncryptionContext | undefined, other: EncryptionContext | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return isSame(one, other);
}

function isSame(one: EncryptionContext, other: EncryptionContext): boolean {
  return Object.keys(one).length === Object.keys(other).length && includes(one, other);
}

function includes(context: EncryptionContext, part: EncryptionContext): boolean {
  return Object.entries(part).every(([name, value]) => Object.hasOwn(context, name) && context[name] === value);
}
