import { resolve } from 'node:path';
import { z } from 'zod';
import { KEY_STORAGES, type KeyStorageKind } from '../hsm/material.js';
import { parseListenAddress, type ListenAddress } from '../listen.js';
import { dialectForm, type ModuleDialect } from '../token/dialect.js';
import { readIdentityPolicy } from './identity_policy.js';
import type { TlsFiles } from '../tls_identity.js';
import type { AccessKey } from './region_config.js';
import { seedClash, seedForm, seedKeys, type SeedKey } from './seed_file.js';
import { parseYaml } from './yaml_source.js';

/** Where a token's PIN comes from; never the PIN itself. */
export type LabPin = { readonly file: string } | { readonly environment: string } | 'prompt';

/** A token as the lab file names it. */
export interface LabToken {
  /** `softhsm2`, `nss`, or the path of a PKCS#11 library. */
  readonly module: string;
  /** Where the module departs from the standard. */
  readonly dialect?: ModuleDialect;
  readonly label?: string | undefined;
  /** Slot id, as the module numbers its slots. */
  readonly slot?: number | undefined;
  readonly pin?: LabPin | undefined;
  /** What `C_Initialize` is given in `pReserved`: where NSS softoken has its database. */
  readonly libraryParameters?: string | undefined;
  /** Environment variables that the module reads: where SoftHSM2 has its configuration. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
}

/** One region of the lab. */
export interface LabRegion {
  readonly listen: ListenAddress;
  readonly token: LabToken;
  /** Where its new keys rest; as in the rest of the lab if left out. */
  readonly keyStorage?: KeyStorageKind;
  /** Where its metrics are served; its endpoint answers them to this machine in any case. */
  readonly metrics?: ListenAddress | undefined;
}

/** A lab: what `keyferry up` runs on one machine. */
export interface Lab {
  readonly partition: string;
  /** 12 digits. */
  readonly account: string;
  /** The front door. */
  readonly endpoint: ListenAddress;
  /** What the front door and the regions prove themselves with; they speak HTTP without it. */
  readonly tls?: TlsFiles | undefined;
  /** Access keys besides those that `up` makes. */
  readonly credentials: readonly AccessKey[];
  readonly regions: Readonly<Record<string, LabRegion>>;
  readonly proxy: { readonly listen: ListenAddress };
  /** `seed` runs the five steps alone, so that people can see what the additions are for. */
  /** The lab in a browser, on the loopback interface; undefined where it is off. */
  readonly console?: { readonly listen: ListenAddress } | undefined;
  readonly profile: 'full' | 'seed';
  readonly hsm: {
    readonly outsideToken: 'refuse' | 'allow';
    /** Where new keys rest; wrapped in the database if left out. */
    readonly keyStorage?: KeyStorageKind;
  };
  /** URL to which the notifications for an SNS topic are posted, by the topic's ARN. */
  readonly alarmActions: Readonly<Record<string, string>>;
  /** Hosts that alarms may post to besides the loopback addresses. */
  readonly alarmHosts: readonly string[];
  /** URLs to which each region posts the events of its keys. */
  readonly eventWebhooks: readonly string[];
  /** Keys that it is prepared with. */
  readonly seed: readonly SeedKey[];
}

/** Modules whose tokens Keyferry makes itself, each in a directory of its own. */
export const MANAGED_MODULES = ['softhsm2', 'nss'] as const;

/** Regions of one lab: more would not fit one machine. */
const REGIONS_MAX = 16;
const FIRST_REGION_PORT = 4610;
const CONSOLE_PORT = 4598;

const listen = z.string().transform((text, context): ListenAddress => {
  const address = parseListenAddress(text);
  if (address !== undefined) return address;
  context.addIssue({ code: 'custom', message: 'an address is written HOST:PORT, for example 127.0.0.1:4610' });
  return z.NEVER;
});

const loopback = listen.refine(
  ({ host }) => /^(?:127(?:\.\d{1,3}){3}|::1|localhost)$/u.test(host),
  'the console is served to this machine only: choose 127.0.0.1',
);

const local = (port: number): ListenAddress => ({ host: '127.0.0.1', port });

const pin = z.union(
  [
    z.literal('prompt'),
    z.strictObject({ file: z.string().min(1) }),
    z.strictObject({ environment: z.string().regex(/^[A-Za-z_]\w*$/u) }),
  ],
  { error: 'a PIN comes from { file: PATH }, { environment: NAME } or prompt; the PIN itself is never written here' },
);

const token = z
  .strictObject({
    module: z.string().min(1).default('softhsm2'),
    dialect: dialectForm.exactOptional(),
    label: z.string().min(1).max(32).optional(),
    slot: z.int().nonnegative().optional(),
    pin: pin.optional(),
    libraryParameters: z.string().min(1).max(4096).optional(),
    environment: z
      .record(
        z.string().regex(/^[A-Za-z_]\w*$/u, 'an environment variable is named with letters, digits and underscores'),
        z.string({ error: 'the value of an environment variable is a text: write it in quotes' }).max(4096),
      )
      .optional(),
  })
  .superRefine(({ module, label, slot, pin: source, libraryParameters, environment }, context) => {
    const isManaged =
      (MANAGED_MODULES as readonly string[]).includes(module) && slot === undefined && label === undefined;
    if (isManaged) {
      if (source !== undefined) {
        context.addIssue({
          code: 'custom',
          path: ['pin'],
          message: 'Keyferry makes this token and its PIN; name a label or a slot to use one of your own',
        });
      }
      const [setting] =
        Object.entries({ libraryParameters, environment }).find(([, value]) => value !== undefined) ?? [];
      if (setting !== undefined) {
        context.addIssue({
          code: 'custom',
          path: [setting],
          message:
            'Keyferry makes this token and knows how it is opened; name a label or a slot to use one of your own',
        });
      }
      return;
    }
    if (label === undefined && slot === undefined) {
      context.addIssue({ code: 'custom', message: `a token of ${module} needs its label or its slot` });
    }
    if (source === undefined)
      context.addIssue({ code: 'custom', message: 'a token of your own needs a pin: file, environment or prompt' });
  });

const regionName = z
  .string()
  .regex(/^(?:[a-z]+-){2,3}\d+$/u, 'a region is named like us-east-1')
  .max(32);

const httpUrl = z.url({ protocol: /^https?$/u, error: 'a notification is posted to a URL with http or https' });

const accessKey = z.strictObject({
  accessKeyId: z.string().regex(/^\w{3,128}$/u, 'an access key id is 3 to 128 letters, digits and underscores'),
  secretAccessKey: z.string().min(1).max(256),
  principal: z
    .string()
    .regex(
      /^arn:[a-z0-9-]+:(?:iam|sts)::\d{12}:(?:root|user\/.+|role\/.+|assumed-role\/.+)$/u,
      'a principal is an ARN like arn:aws:iam::111122223333:root',
    ),
  policy: z
    .union([z.string().min(1), z.record(z.string(), z.unknown())], {
      error: 'a policy is an IAM policy document, or the path of a file that holds one',
    })
    .optional(),
  sessionToken: z
    .string()
    .min(1)
    .max(4096)
    .regex(/^[\x21-\x7e]+$/u, 'a session token is printable ASCII')
    .optional(),
  expires: z.iso
    .datetime({ offset: true, error: 'a time is written like 2026-12-31T23:59:59Z' })
    .transform((text) => Date.parse(text))
    .optional(),
});

const tlsFiles = z.strictObject({
  certificate: z.string().min(1),
  key: z.string().min(1),
  authority: z.string().min(1).optional(),
});

const schema = z.strictObject({
  partition: z
    .string()
    .regex(/^[a-z0-9-]{1,32}$/u, 'a partition is 1 to 32 lower-case letters, digits and hyphens')
    .default('aws'),
  account: z
    .string({ error: 'an account is a text of 12 digits: write it in quotes' })
    .regex(/^\d{12}$/u, 'an account has 12 digits')
    .default('111122223333'),
  endpoint: listen.default(local(4599)),
  tls: tlsFiles.optional(),
  credentials: z.array(accessKey).max(64).default([]),
  regions: z
    .record(
      regionName,
      z
        .strictObject({
          listen: listen.optional(),
          token: token.prefault({}),
          keyStorage: z.enum(KEY_STORAGES).exactOptional(),
          metrics: listen.optional(),
        })
        .nullable(),
    )
    .refine((regions) => Object.keys(regions).length > 0, 'a lab has at least one region')
    .refine((regions) => Object.keys(regions).length <= REGIONS_MAX, `a lab has at most ${REGIONS_MAX} regions`)
    .prefault({ 'us-east-1': null, 'eu-west-1': null }),
  proxy: z.strictObject({ listen: listen.default(local(4600)) }).prefault({}),
  console: z
    .union([z.literal('off'), z.literal(false), z.strictObject({ listen: loopback.optional() })], {
      error: 'the console is off, or { listen: HOST:PORT }',
    })
    .prefault({}),
  profile: z.enum(['full', 'seed']).default('full'),
  hsm: z
    .strictObject({
      outsideToken: z.enum(['refuse', 'allow']).default('refuse'),
      keyStorage: z.enum(KEY_STORAGES).exactOptional(),
    })
    .prefault({}),
  alarmActions: z
    .record(z.string().regex(/^arn:[a-z0-9-]+:sns:\S+$/u, 'an SNS topic is named by its ARN'), httpUrl)
    .default({}),
  alarmHosts: z
    .array(z.string().regex(/^[a-z0-9.:[\]-]{1,253}$/u, 'a host is written in lower case, without port'))
    .max(64)
    .default([]),
  eventWebhooks: z.array(httpUrl).max(16).default([]),
  seed: seedForm.prefault({}),
});

/**
 * Reads a lab file.
 *
 * @param text - YAML; an empty one is the default lab of two regions on SoftHSM2
 * @param file - its name, for messages; paths in it are relative to its directory
 * @throws {@link ConfigError} `ERR_CONFIG_FILE` with file, line and column of what is wrong
 */
export function parseLabFile(text: string, file: string): Lab {
  const source = parseYaml(text, file);
  const result = schema.safeParse(source.value ?? {});
  if (!result.success) throw source.refuse(result.error.issues);
  const { regions: written, console, ...rest } = result.data;

  const taken = new Set(Object.values(written).flatMap((region) => [region?.listen?.port, region?.metrics?.port]));
  let nextPort = FIRST_REGION_PORT;
  const freePort = (): number => {
    while (taken.has(nextPort)) nextPort += 1;
    return nextPort++;
  };
  const regions: Record<string, LabRegion> = {};
  for (const [name, region] of Object.entries(written)) {
    regions[name] = {
      listen: region?.listen ?? local(freePort()),
      token: withAbsolutePaths(region?.token ?? { module: 'softhsm2' }, file),
      ...(region?.keyStorage !== undefined && { keyStorage: region.keyStorage }),
      ...(region?.metrics !== undefined && { metrics: region.metrics }),
    };
  }
  const credentials = rest.credentials.map(({ policy: document, expires, sessionToken, ...key }, index): AccessKey => {
    const refuse = (member: string, message: string): never => {
      throw source.refuse([{ code: 'custom', path: ['credentials', index, member], message }]);
    };
    if (expires !== undefined && sessionToken === undefined) {
      refuse('expires', 'an access key that expires is a temporary one, and has a sessionToken');
    }
    const policy = document === undefined ? undefined : readIdentityPolicy(document, file);
    if (policy !== undefined && !('text' in policy)) refuse('policy', policy.problem);
    return {
      ...key,
      ...(policy !== undefined && 'text' in policy && { policy: policy.text }),
      ...(sessionToken !== undefined && { sessionToken }),
      ...(expires !== undefined && { expiresMs: expires }),
    };
  });
  const names = Object.keys(regions);
  const tls = rest.tls && tlsFilesFrom(rest.tls, file);
  // Where the system chooses the port of the endpoint, it chooses this one too.
  const consoleListen = local(rest.endpoint.port === 0 ? 0 : CONSOLE_PORT);
  const lab: Lab = {
    ...rest,
    console: typeof console === 'object' ? { listen: console.listen ?? consoleListen } : undefined,
    tls,
    credentials,
    regions,
    seed: seedKeys(rest.seed, { regions: names, file }),
  };
  const clash = firstClash(lab) ?? seedClash(lab.seed, names);
  if (clash !== undefined) throw source.refuse([{ code: 'custom', path: clash.path, message: clash.message }]);
  return lab;
}

/** The lab that runs where there is no file. */
export function defaultLab(): Lab {
  return parseLabFile('', 'lab.yaml');
}

function tlsFilesFrom({ certificate, key, authority }: TlsFiles, file: string): TlsFiles {
  const from = (path: string): string => resolve(file, '..', path);
  return { certificate: from(certificate), key: from(key), authority: authority && from(authority) };
}

function withAbsolutePaths(written: LabToken, file: string): LabToken {
  const from = (path: string): string => resolve(file, '..', path);
  const { pin: source, module } = written;
  return {
    ...written,
    module: module.includes('/') ? from(module) : module,
    ...(typeof source === 'object' && 'file' in source ? { pin: { file: from(source.file) } } : {}),
  };
}

/** Who wants an address, and where in the file that is said. */
type Claim = [who: string, address: ListenAddress, path: (string | number)[]];

/** Two addresses or two access keys that are the same; the later one is at fault. */
function firstClash(lab: Lab): { readonly path: (string | number)[]; readonly message: string } | undefined {
  const seen = new Map<string, string>();
  const addresses: Claim[] = [
    ['the endpoint', lab.endpoint, ['endpoint']],
    ['the proxy', lab.proxy.listen, ['proxy', 'listen']],
    ...(lab.console === undefined ? [] : [['the console', lab.console.listen, ['console', 'listen']] satisfies Claim]),
    ...Object.entries(lab.regions).map(([name, region]): Claim => [name, region.listen, ['regions', name, 'listen']]),
    ...Object.entries(lab.regions).flatMap(([name, { metrics }]): Claim[] =>
      metrics === undefined ? [] : [[`the metrics of ${name}`, metrics, ['regions', name, 'metrics']]],
    ),
  ];
  for (const [who, { host, port }, path] of addresses) {
    const other = seen.get(`${host}:${port}`);
    if (port !== 0 && other !== undefined)
      return { path, message: `${host}:${port} is already the address of ${other}` };
    seen.set(`${host}:${port}`, who);
  }
  const keys = new Set<string>();
  for (const [index, { accessKeyId }] of lab.credentials.entries()) {
    if (keys.has(accessKeyId))
      return { path: ['credentials', index, 'accessKeyId'], message: `the access key ${accessKeyId} is there twice` };
    keys.add(accessKeyId);
  }
  return undefined;
}
