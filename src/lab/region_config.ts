import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { LabTime } from '../clock.js';
import { ConfigError } from '../errors.js';
import { KEY_STORAGES } from '../hsm/material.js';
import { dialectForm } from '../token/dialect.js';

/** An access key of the lab, and whose it is. */
export interface AccessKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** ARN of the IAM principal. */
  readonly principal: string;
  /** IAM policy of the principal, JSON text that was checked; absent or null for an administrator. */
  readonly policy?: string | null | undefined;
  /** Of a temporary key: the session token that comes with every request. */
  readonly sessionToken?: string;
  /** When a temporary key ends, milliseconds since the epoch. */
  readonly expiresMs?: number;
}

const address = z.strictObject({ host: z.string().min(1), port: z.int().min(0).max(65_535) });

const pinSource = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('file'), path: z.string().min(1) }),
  z.strictObject({ kind: z.literal('environment'), name: z.string().min(1) }),
  z.strictObject({ kind: z.literal('prompt'), label: z.string() }),
  z.strictObject({ kind: z.literal('empty') }),
]);

/** Form of a {@link TokenConfig} in JSON. */
export const tokenConfigForm = z.strictObject({
  /** `softhsm2`, `nss`, or the path of a PKCS#11 library. */
  module: z.string().min(1),
  /**
   * Set for a token that Keyferry makes: its directory, label and PIN files are made at provisioning. Null for a token of the
   * user's own, which is found by label or slot and must be initialised.
   */
  managed: z.strictObject({ kind: z.enum(['softhsm2', 'nss']), directory: z.string().min(1) }).nullable(),
  /** Where the module departs from the standard. */
  dialect: dialectForm.exactOptional(),
  label: z.string().min(1).max(32).nullable(),
  slot: z.int().nonnegative().nullable(),
  pin: pinSource,
  /** The security officer's PIN, where it is at hand. */
  soPin: pinSource.nullable(),
  /** Of a token of the user's own: what `C_Initialize` is given in `pReserved`. */
  libraryParameters: z.string().min(1).exactOptional(),
  /** Of a token of the user's own: environment variables that its module reads. */
  environment: z.record(z.string(), z.string()).exactOptional(),
});

const regionConfig = z.strictObject({
  region: z.string().regex(/^[a-z0-9-]{1,32}$/u),
  partition: z.string().regex(/^[a-z0-9-]{1,32}$/u),
  account: z.string().regex(/^\d{12}$/u),
  listen: address,
  token: tokenConfigForm,
  proxyUrl: z.url(),
  /** Directory of the region: database, profile, `admin.sock`; exists, mode 0700. */
  directory: z.string().min(1),
  /** All rosters of the partition, one compact JWS a line, oldest first; made by the partition authority. Absent before enrolment. */
  rosterFile: z.string().min(1),
  /** Thumbprint of the partition authority's key, handed over out of band. */
  authorityKid: z.string().regex(/^[\w-]{64}$/u),
  credentials: z.array(
    z.strictObject({
      accessKeyId: z.string(),
      secretAccessKey: z.string(),
      principal: z.string(),
      policy: z.string().nullable().optional(),
      sessionToken: z.string().min(1).exactOptional(),
      expiresMs: z.number().exactOptional(),
    }),
  ),
  /** What the endpoint proves itself with, PEM files; HTTP without it. */
  tls: z.strictObject({ certificate: z.string().min(1), key: z.string().min(1) }).optional(),
  hsm: z.strictObject({
    outsideToken: z.enum(['refuse', 'allow']),
    /** Where new keys rest; wrapped if left out. */
    keyStorage: z.enum(KEY_STORAGES).exactOptional(),
  }),
  profile: z.enum(['full', 'seed']),
  /** Where alarms may send notifications besides the loopback addresses: URLs of SNS topics by their ARNs, and hosts. */
  alarms: z.strictObject({ topics: z.record(z.string(), z.url()), hosts: z.array(z.string().min(1)) }).optional(),
  /** Where metrics are served besides the endpoint, which answers this machine only. */
  metrics: address.optional(),
  /** URLs to which the events of keys are posted. */
  eventWebhooks: z.array(z.url()).optional(),
  /** Whether lab controls are on (moving the clock). */
  lab: z.boolean(),
});

/** Which token a program uses, and how it opens it. No PIN is ever in it. */
export type TokenConfig = Readonly<z.infer<typeof tokenConfigForm>>;

/** Everything that one region is started with: `config.json` in its directory, mode 0600. Paths are absolute. */
export type RegionConfig = Readonly<z.infer<typeof regionConfig>>;

/** A region that answers. */
export interface RunningRegion {
  /** Base URL of its KMS endpoint. */
  readonly url: string;
  /** Its time, which can be moved in a lab. */
  readonly time: LabTime;
  close(): Promise<void>;
}

/**
 * Reads a region's configuration.
 *
 * @throws {@link ConfigError} `ERR_CONFIG_FILE`
 */
export function readRegionConfig(file: string): RegionConfig {
  return parseJsonFile(file, regionConfig);
}

/** Reads a token's configuration, a file of its own or the `token` member of a region's. */
export function readTokenConfig(file: string): TokenConfig {
  return parseJsonFile(file, tokenConfigForm);
}

/**
 * Reads a JSON file of a known form.
 *
 * @throws {@link ConfigError} `ERR_CONFIG_FILE` that names the file, and the member that is wrong
 */
export function parseJsonFile<Value>(file: string, form: z.ZodType<Value>): Value {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError('ERR_CONFIG_FILE', `${file} cannot be read: ${reason}`, { details: { file }, cause: error });
  }
  const result = form.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
  throw new ConfigError('ERR_CONFIG_FILE', `${file}: ${problems}`, { details: { file } });
}
