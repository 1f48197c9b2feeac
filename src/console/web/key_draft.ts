import type { CliCall } from './components/cli_command.js';
import { importRefusal, specsOf, usagesOf, type KeyType } from './key_specs.js';

/** A tag as people write it. */
export interface Tag {
  readonly TagKey: string;
  readonly TagValue: string;
}

/** A key that is still to be made, as the wizard has it. */
export interface KeyDraft {
  readonly type: KeyType;
  readonly usage: string;
  readonly spec: string;
  readonly origin: 'AWS_KMS' | 'EXTERNAL';
  /** That whoever brings the material keeps it safe and available. */
  readonly isAcknowledged: boolean;
  readonly isMultiRegion: boolean;
  /** Without `alias/`; empty for none. */
  readonly alias: string;
  readonly description: string;
  readonly tags: readonly Tag[];
  /** Empty for the one that the service gives by itself. */
  readonly policy: string;
}

export const EMPTY_DRAFT: KeyDraft = {
  type: 'symmetric',
  usage: 'ENCRYPT_DECRYPT',
  spec: 'SYMMETRIC_DEFAULT',
  origin: 'AWS_KMS',
  isAcknowledged: false,
  isMultiRegion: false,
  alias: '',
  description: '',
  tags: [],
  policy: '',
};

/** The draft with another type or usage: what does not go with it is chosen anew. */
export function withType(draft: KeyDraft, type: KeyType, usage?: string): KeyDraft {
  const usages = usagesOf(type).map((row) => row.usage);
  const wanted = usage ?? draft.usage;
  const next = usages.includes(wanted) ? wanted : (usages[0] ?? '');
  const specs = specsOf(type, next);
  return withSpec({ ...draft, type, usage: next }, specs.includes(draft.spec) ? draft.spec : (specs[0] ?? ''));
}

/** The draft with another spec. */
export function withSpec(draft: KeyDraft, spec: string): KeyDraft {
  return { ...draft, spec, ...(importRefusal(spec) !== undefined && { origin: 'AWS_KMS' as const }) };
}

/** What is wrong with the configuration; empty where nothing is. */
export function configurationProblem({ origin, isAcknowledged }: KeyDraft): string {
  if (origin !== 'EXTERNAL' || isAcknowledged) return '';
  return 'Acknowledge what imported key material means for you.';
}

/** What is wrong with the alias; empty where nothing is. @source AWS KMS API Reference, CreateAlias */
export function aliasProblem(alias: string): string {
  if (alias === '' || /^[\w/-]{1,250}$/u.test(alias)) return '';
  return 'At most 250 letters, digits, “/”, “_” and “-”.';
}

/** What is wrong with the tags; empty where nothing is. */
export function tagsProblem(tags: readonly Tag[]): string {
  const names = tags.map(({ TagKey }) => TagKey);
  if (names.includes('')) return 'Each tag has a key.';
  return new Set(names).size === names.length ? '' : 'No two tags have the same key.';
}

/** What makes the key. */
export function createKeyCall(region: string, draft: KeyDraft): CliCall {
  const input = {
    KeySpec: draft.spec,
    KeyUsage: draft.usage,
    Origin: draft.origin,
    MultiRegion: draft.isMultiRegion,
    ...(draft.description !== '' && { Description: draft.description }),
    ...(draft.tags.length > 0 && { Tags: draft.tags }),
    ...(draft.policy !== '' && { Policy: draft.policy }),
  };
  return { region, operation: 'CreateKey', input };
}

/** What gives it its alias; undefined where it has none. */
export function createAliasCall(region: string, draft: KeyDraft, keyId: string): CliCall | undefined {
  if (draft.alias === '') return undefined;
  return { region, operation: 'CreateAlias', input: { AliasName: `alias/${draft.alias}`, TargetKeyId: keyId } };
}

/** The policy that a key has where nobody gives it another one. @source AWS KMS Developer Guide, "Default key policy" */
export function defaultPolicy({
  partition,
  account,
}: {
  readonly partition: string;
  readonly account: string;
}): string {
  const statement = {
    Sid: 'Enable IAM User Permissions',
    Effect: 'Allow',
    Principal: { AWS: `arn:${partition}:iam::${account}:root` },
    Action: 'kms:*',
    Resource: '*',
  };
  return JSON.stringify({ Version: '2012-10-17', Id: 'key-default-1', Statement: [statement] }, undefined, 2);
}
