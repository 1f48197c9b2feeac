import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

/** Where Debian keeps the model that its AWS CLI and boto3 use. */
const FILES = [
  '/usr/lib/python3/dist-packages/botocore/data/kms/2014-11-01/service-2.json',
  '/usr/lib/python3/dist-packages/botocore/data/kms/2014-11-01/service-2.json.gz',
];

/** A shape of the model: what constrains its values. */
export interface BoundedShape {
  readonly type: string;
  readonly min?: number;
  readonly max?: number;
  readonly pattern?: string;
  readonly members?: Readonly<Record<string, { readonly shape: string }>>;
  readonly member?: { readonly shape: string };
}

/** The model of the installed botocore, which has the lengths and ranges that the SDK's leaves out. */
export interface BotocoreModel {
  readonly operations: Readonly<Record<string, { readonly input?: { readonly shape: string } }>>;
  readonly shapes: Readonly<Record<string, BoundedShape>>;
}

/** The installed model; undefined where none is installed. */
export function botocoreModel(): BotocoreModel | undefined {
  const file = FILES.find((candidate) => existsSync(candidate));
  if (file === undefined) return undefined;
  const octets = readFileSync(file);
  return JSON.parse((file.endsWith('.gz') ? gunzipSync(octets) : octets).toString('utf8')) as BotocoreModel;
}
