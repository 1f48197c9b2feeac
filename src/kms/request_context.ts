import { conditionTexts, type ConditionContext, type ConditionKey, type ConditionValue } from './condition_context.js';
import { requestAlias } from './key_id.js';
import type { KeyRecord } from './key_record.js';
import { identityOf, type CallerIdentity } from './policy_principal.js';
import type { EncryptionContext } from './ports.js';
import type { Call, KmsRegion } from './region.js';

/** What a request says that policies and grants may ask about. */
export interface RequestFacts {
  readonly grantTokens?: readonly string[] | undefined;
  /** Of the side that this permission is about. */
  readonly encryptionContext?: EncryptionContext | undefined;
  /** `KeyId` as the request has it: by it a policy may tell whether an alias was used. */
  readonly requestedKeyId?: string | undefined;
  /** Values of condition keys that follow from the request, for example `kms:EncryptionAlgorithm`. Absent members are not set. */
  readonly conditions?: RequestConditions | undefined;
}

/** Values of condition keys by name; undefined values are not there. */
export type RequestConditions = Readonly<Record<`${'kms' | 'aws'}:${string}`, ConditionValue | undefined>>;

/** What the values of condition keys are taken from. */
interface Source {
  readonly caller: CallerIdentity;
  readonly call: Call;
  readonly region: KmsRegion;
  readonly record: KeyRecord | undefined;
  readonly facts: RequestFacts;
}

const ENCRYPTION_CONTEXT = 'kms:encryptioncontext:';
const RESOURCE_TAG = 'aws:resourcetag/';

/**
 * Condition keys that follow from the caller, the key and the moment; the others follow from the request.
 *
 * @source AWS KMS Developer Guide, "AWS KMS condition keys"; IAM User Guide, "AWS global condition context keys"
 */
const KEYS: Readonly<Record<string, (source: Source) => ConditionValue | undefined>> = {
  'aws:principalarn': ({ caller }) => caller.principalArn,
  'aws:principalaccount': ({ caller }) => caller.account,
  'aws:principaltype': ({ caller }) => principalType(caller),
  'aws:principalisawsservice': () => false,
  'aws:viaawsservice': () => false,
  'aws:username': ({ caller }) => caller.userName,
  'aws:requestedregion': ({ region }) => region.home.region,
  'aws:resourceaccount': ({ region }) => region.home.account,
  'aws:currenttime': ({ region }) => new Date(region.clock.nowMs()),
  'aws:epochtime': ({ region }) => Math.floor(region.clock.nowMs() / 1000),
  // A socket that takes both families shows IPv4 addresses as a part of IPv6.
  'aws:sourceip': ({ call }) => call.sourceAddress?.replace(/^::ffff:(?=\d+\.)/, ''),
  'aws:securetransport': ({ call }) => call.isEncrypted,
  'kms:calleraccount': ({ caller }) => caller.account,
  'kms:keyspec': ({ record }) => record?.keySpec,
  'kms:customermasterkeyspec': ({ record }) => record?.keySpec,
  'kms:keyusage': ({ record }) => record?.keyUsage,
  'kms:customermasterkeyusage': ({ record }) => record?.keyUsage,
  'kms:keyorigin': ({ record }) => record?.origin,
  'kms:multiregion': ({ record }) => record && record.multiRegion !== null,
  'kms:multiregionkeytype': ({ record }) => record?.multiRegion?.type,
  'kms:encryptioncontextkeys': ({ facts }) => facts.encryptionContext && Object.keys(facts.encryptionContext),
  'kms:requestalias': ({ facts }) => requestAlias(facts.requestedKeyId),
  'kms:resourcealiases': ({ region, record }) =>
    record && region.aliases.aliasesOf(record.keyId).map(({ name }) => name),
};

/** The values that one request gives to condition keys; looked up only when a policy asks. */
export class RequestContext implements ConditionContext {
  readonly #source: Source;
  #conditions: ReadonlyMap<string, ConditionValue> | undefined;

  /** @param record - the key that the request is about, where there is one */
  constructor(call: Call, record: KeyRecord | undefined, facts: RequestFacts) {
    this.#source = { caller: identityOf(call.caller), call, region: call.region, record, facts };
  }

  valuesOf(key: ConditionKey): readonly string[] | undefined {
    const { record, facts, region } = this.#source;
    const { name } = key;
    // What the request says of a key that is to be made comes before what is known of one that is there.
    const value = this.#ofRequest(name) ?? (Object.hasOwn(KEYS, name) ? KEYS[name]?.(this.#source) : undefined);
    if (value !== undefined) return conditionTexts(value);
    if (name.startsWith(ENCRYPTION_CONTEXT)) {
      return valuesUnder(key.written.slice(ENCRYPTION_CONTEXT.length), Object.entries(facts.encryptionContext ?? {}));
    }
    if (name.startsWith(RESOURCE_TAG) && record !== undefined) {
      const tags = region.store.tags(record.keyId).map(({ TagKey, TagValue }) => [TagKey, TagValue] as const);
      return valuesUnder(key.written.slice(RESOURCE_TAG.length), tags);
    }
    return undefined;
  }

  #ofRequest(name: string): ConditionValue | undefined {
    const { conditions } = this.#source.facts;
    if (conditions === undefined) return undefined;
    this.#conditions ??= new Map(
      Object.entries(conditions).flatMap(([written, value]) =>
        value === undefined ? [] : [[written.toLowerCase(), value] as const],
      ),
    );
    return this.#conditions.get(name);
  }
}

const ALGORITHM_KEYS = {
  ENCRYPT_DECRYPT: 'kms:EncryptionAlgorithm',
  SIGN_VERIFY: 'kms:SigningAlgorithm',
  GENERATE_VERIFY_MAC: 'kms:MacAlgorithm',
  KEY_AGREEMENT: 'kms:KeyAgreementAlgorithm',
} as const satisfies Readonly<Record<KeyRecord['keyUsage'], keyof RequestConditions>>;

/** The condition key of the algorithm that a key is to be used by. */
export function algorithmConditions(use: {
  readonly usage: KeyRecord['keyUsage'];
  readonly algorithm: string;
}): RequestConditions {
  return { [ALGORITHM_KEYS[use.usage]]: use.algorithm };
}

/** Condition keys of the tags that a request gives or takes away. */
export function tagConditions(
  tags: readonly { readonly TagKey: string; readonly TagValue: string }[],
): RequestConditions {
  if (tags.length === 0) return {};
  return {
    'aws:TagKeys': tags.map(({ TagKey }) => TagKey),
    ...Object.fromEntries(tags.map(({ TagKey, TagValue }) => [`aws:RequestTag/${TagKey}`, TagValue])),
  };
}

/** Values under a name: of the name as it is written, or else of those that differ in case alone. */
function valuesUnder(name: string, pairs: readonly (readonly [string, string])[]): readonly string[] | undefined {
  const exact = pairs.filter(([other]) => other === name);
  const found = exact.length > 0 ? exact : pairs.filter(([other]) => other.toLowerCase() === name.toLowerCase());
  return found.length === 0 ? undefined : found.map(([, value]) => value);
}

function principalType(caller: CallerIdentity): string {
  if (caller.isRoot) return 'Account';
  return caller.userName === undefined ? 'AssumedRole' : 'User';
}
