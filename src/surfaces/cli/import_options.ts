import { Option, type Command } from 'commander';
import { resolveEndpoint, type EndpointOptions } from '../../customer/credentials.js';
import { CeremonyError } from '../../customer/errors.js';
import { parseExpiration } from '../../customer/expiration.js';
import { FileMaterial } from '../../customer/file_material.js';
import { KmsEndpoint } from '../../customer/kms_endpoint.js';
import type { MaterialSource } from '../../customer/material_source.js';
import {
  WRAPPING_ALGORITHMS,
  WRAPPING_KEY_SPECS,
  type WrappingAlgorithm,
  type WrappingKeySpec,
} from '../../customer/rules.js';
import { IMPORT_TYPES, type ImportRequest } from '../../customer/upload.js';
import { awsEnvironment } from '../../lab/aws_files.js';
import { StateDirectory } from '../../lab/state_directory.js';
import { DEFAULT_DIRECTORY, wholeNumberOption } from './command_context.js';

/** How a command names the endpoint. */
export interface KmsOptions {
  readonly endpoint?: string;
  readonly region?: string;
  readonly profile?: string;
  readonly allowHttp?: boolean;
  readonly dir: string;
}

export function addKmsOptions(target: Command): Command {
  return target
    .option(
      '--endpoint <url>',
      'KMS endpoint (default: as AWS clients find it; the lab of --dir where nothing else is set)',
    )
    .option('--region <name>', 'region of the key (default: that of its ARN, or as AWS clients find it)')
    .option('--profile <name>', 'profile of the AWS configuration files')
    .option('--allow-http', 'take an endpoint without TLS on another machine')
    .option('--dir <directory>', 'directory of the lab', DEFAULT_DIRECTORY);
}

const ENDPOINT_VARIABLES = ['AWS_ENDPOINT_URL_KMS', 'AWS_ENDPOINT_URL', 'AWS_PROFILE', 'AWS_ACCESS_KEY_ID'];

/** The endpoint that a command means. */
export function openEndpoint(options: KmsOptions, keyId: string | undefined): KmsEndpoint {
  const { endpoint, region, profile, allowHttp } = options;
  const keyRegion = /^arn:[^:]+:kms:([^:]+):/u.exec(keyId ?? '')?.[1];
  const asked: EndpointOptions = { endpoint, region, profile, keyRegion, allowHttp };
  const isNamed =
    endpoint !== undefined || profile !== undefined || ENDPOINT_VARIABLES.some((name) => process.env[name]);
  return new KmsEndpoint(
    resolveEndpoint(asked, isNamed ? process.env : { ...process.env, ...labVariables(options.dir) }),
  );
}

/** What points AWS clients at the lab; nothing where there is none. A region in the environment stays. */
function labVariables(dir: string): Readonly<Record<string, string>> {
  const directory = new StateDirectory(dir);
  const state = directory.readState();
  if (state === undefined) return {};
  const region = process.env['AWS_REGION'] ?? process.env['AWS_DEFAULT_REGION'] ?? state.regions[0] ?? '';
  return awsEnvironment(directory, { endpoint: state.endpoint, caFile: state.caFile, region });
}

/** How a command names the material: a file, standard input, or a key in a token. */
export interface MaterialOptions {
  readonly material?: string;
  readonly fromToken?: string;
  readonly object?: string;
  readonly label?: string;
  readonly slot?: number;
  readonly pinFile?: string;
  readonly pinEnvironment?: string;
  readonly libraryParameters?: string;
}

export function addMaterialOptions(target: Command): Command {
  return target
    .option('--material <file>', 'file with the material, or - for standard input; a secret’s octets, or PKCS#8 in DER')
    .option('--from-token <name|path>', 'wrap a key inside a PKCS#11 token: softhsm2, nss, or the path of a library')
    .option('--object <label|id>', 'label of the key in the token, or its CKA_ID in hexadecimal')
    .option('--label <label>', 'label of the token')
    .option('--slot <number>', 'slot of the token', wholeNumberOption)
    .option('--pin-file <file>', 'file that holds its PIN')
    .option('--pin-environment <name>', 'environment variable that holds its PIN (default: ask on the terminal)')
    .option('--library-parameters <text>', 'what the library is given when it starts, such as NSS’s configdir=…');
}

/** Opens the source of the material; the caller closes it. */
export async function openMaterial(options: MaterialOptions): Promise<MaterialSource> {
  const { material, fromToken, object, label, slot, pinFile, pinEnvironment, libraryParameters } = options;
  if ((material === undefined) === (fromToken === undefined)) {
    throw new CeremonyError('ERR_CEREMONY_SOURCE', 'Material comes from a file or from a token: name one of them', {
      remedy: 'give --material FILE, or --from-token MODULE --object LABEL',
    });
  }
  if (fromToken === undefined) {
    if (material === '-' && process.stdin.isTTY) {
      throw new CeremonyError('ERR_CEREMONY_SOURCE', 'Material is not typed on a terminal', {
        remedy: 'redirect a file or a program’s output into the command',
      });
    }
    return FileMaterial.read(material ?? '-');
  }
  if (object === undefined || (label === undefined && slot === undefined)) {
    throw new CeremonyError('ERR_CEREMONY_SOURCE', 'Which key of which token?', {
      remedy: 'give --object, and --label or --slot',
    });
  }
  // Only a command that touches a token loads a PKCS#11 module.
  const { TokenMaterial } = await import('../../customer/token_material.js');
  return TokenMaterial.open({
    module: fromToken,
    token: { ...(label !== undefined && { label }), ...(slot !== undefined && { slotId: slot }) },
    pin:
      pinFile !== undefined
        ? { kind: 'file', path: pinFile }
        : pinEnvironment !== undefined
          ? { kind: 'environment', name: pinEnvironment }
          : { kind: 'prompt', label: `PIN of ${label ?? `slot ${slot}`}` },
    object,
    ...(libraryParameters !== undefined && { libraryParameters }),
  });
}

/** How a command chooses the wrapping. */
export interface WrappingOptions {
  readonly wrappingAlgorithm?: WrappingAlgorithm;
  readonly wrappingKeySpec: WrappingKeySpec;
}

export function addWrappingOptions(target: Command): Command {
  return target
    .addOption(
      new Option(
        '--wrapping-algorithm <name>',
        'default: RSAES_OAEP for secrets, RSA_AES_KEY_WRAP for private keys, with SHA-256 where the source knows it',
      ).choices(WRAPPING_ALGORITHMS),
    )
    .addOption(new Option('--wrapping-key-spec <name>').choices(WRAPPING_KEY_SPECS).default('RSA_4096'));
}

/** What a command says about parameters that were not made by `keyferry import parameters`. */
export interface KnownOptions {
  readonly keyId?: string;
  readonly keySpec?: string;
  readonly wrappingAlgorithm?: WrappingAlgorithm;
}

export function addKnownOptions(target: Command): Command {
  const only = 'only where the directory does not say it (the AWS console’s download)';
  return target
    .option('--key-id <id|arn>', `the KMS key, ${only}`)
    .option('--key-spec <name>', `its key spec, ${only}`)
    .addOption(new Option('--wrapping-algorithm <name>', only).choices(WRAPPING_ALGORITHMS));
}

/** What an import is to say besides the material. */
export interface RequestOptions {
  readonly validTo?: string;
  readonly validFor?: string;
  readonly doesNotExpire?: boolean;
  readonly importType?: (typeof IMPORT_TYPES)[number];
  readonly description?: string;
  readonly keyMaterialId?: string;
  readonly yes?: boolean;
}

export function addRequestOptions(target: Command): Command {
  return target
    .option('--valid-to <time>', 'the material expires then: ISO 8601 with a time zone, a date, or seconds since 1970')
    .option('--valid-for <duration>', 'it expires so long after the parameters were made: a number and s, m, h or d')
    .option('--does-not-expire', 'it does not expire')
    .addOption(new Option('--import-type <type>', 'of a symmetric key').choices(IMPORT_TYPES))
    .option('--description <text>', 'description of the material, of a symmetric key')
    .option('--key-material-id <id>', 'import only this very material, of a symmetric key')
    .option('-y, --yes', 'do not ask');
}

export function requestOf(options: RequestOptions): ImportRequest {
  const { importType, description, keyMaterialId } = options;
  return { expiration: parseExpiration(options), importType, description, keyMaterialId };
}
