import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parsePublicKey } from '../wire/public_key.js';
import { CeremonyError } from './errors.js';
import {
  IMPORT_OCTETS_MAX,
  IMPORTED_KEY_SPECS,
  modulusBitsOf,
  parseKeySpec,
  PARAMETERS_MS,
  usualAlgorithm,
  WRAPPING_ALGORITHMS,
  WRAPPING_KEY_SPECS,
  type ImportedKeySpec,
  type Wrapping,
  type WrappingAlgorithm,
  type WrappingKeySpec,
} from './rules.js';
import type { KmsEndpoint } from './kms_endpoint.js';

/** Names of the files in a directory of parameters; the first two are those of the AWS console's download. */
export const PARAMETER_FILES = {
  publicKey: 'WrappingPublicKey.bin',
  importToken: 'ImportToken.bin',
  description: 'parameters.json',
  readme: 'README.txt',
  wrapped: 'EncryptedKeyMaterial.bin',
} as const;

/** The key that material is imported into, as far as the endpoint tells. */
export interface TargetKey {
  /** Key ARN. */
  readonly keyId: string;
  readonly keySpec: ImportedKeySpec;
  readonly keyState: string;
}

/** Which key of how many bits wraps the material, and how. */
export interface WrappingChoice {
  readonly wrappingAlgorithm: WrappingAlgorithm;
  readonly wrappingKeySpec: WrappingKeySpec;
}

/** What `GetParametersForImport` gave for one import. */
export interface ImportParameters extends WrappingChoice {
  readonly keyId: string;
  readonly keySpec: ImportedKeySpec;
  /** DER SubjectPublicKeyInfo, checked: an RSA key of the right size and nothing else. */
  readonly publicKey: Uint8Array;
  readonly importToken: Uint8Array;
  /** When they end by the endpoint's clock, milliseconds; null where nobody has written it down. */
  readonly validToMs: number | null;
}

/**
 * Asks what the key is, and that it takes imported material.
 *
 * @throws {@link CeremonyError} `ERR_CEREMONY_RULE`, `ERR_CEREMONY_REFUSED`, `ERR_CEREMONY_ENDPOINT`
 */
export async function describeTarget(kms: KmsEndpoint, keyId: string): Promise<TargetKey> {
  if (/(^|:)alias\//u.test(keyId)) {
    throw new CeremonyError('ERR_CEREMONY_RULE', 'Imports name the key by its id or ARN, not by an alias', {
      remedy: `aws kms describe-key --key-id ${keyId} --query KeyMetadata.Arn`,
    });
  }
  const { KeyMetadata } = await kms.call('DescribeKey', { KeyId: keyId });
  const metadata = (KeyMetadata ?? {}) as Readonly<Record<string, unknown>>;
  const origin = String(metadata['Origin']);
  if (origin !== 'EXTERNAL') {
    throw new CeremonyError(
      'ERR_CEREMONY_RULE',
      `The origin of this key is ${origin}, and only EXTERNAL takes material`,
      {
        remedy: 'make one with: aws kms create-key --origin EXTERNAL',
      },
    );
  }
  return {
    keyId: String(metadata['Arn']),
    keySpec: parseKeySpec(String(metadata['KeySpec'])),
    keyState: String(metadata['KeyState']),
  };
}

/**
 * Downloads parameters for one import.
 *
 * @throws {@link CeremonyError} also `ERR_CEREMONY_PARAMETERS` where the answer holds no such public key
 */
export async function downloadParameters(
  kms: KmsEndpoint,
  target: Pick<TargetKey, 'keyId' | 'keySpec'>,
  choice: WrappingChoice,
): Promise<ImportParameters> {
  const answer = await kms.call('GetParametersForImport', {
    KeyId: target.keyId,
    WrappingAlgorithm: choice.wrappingAlgorithm,
    WrappingKeySpec: choice.wrappingKeySpec,
  });
  const validTo = answer['ParametersValidTo'];
  return checked({
    ...choice,
    keyId: target.keyId,
    keySpec: target.keySpec,
    publicKey: octetsOf(answer['PublicKey']),
    importToken: octetsOf(answer['ImportToken']),
    validToMs: typeof validTo === 'number' ? Math.round(validTo * 1000) : null,
  });
}

/**
 * Downloads parameters where nobody asked for an algorithm: with SHA-256 where source and endpoint both know it, else with SHA-1.
 *
 * @param hash - the strongest that the source of the material can do
 * @param check - of the choice, before it is sent
 * @throws {@link CeremonyError}
 */
export async function downloadUsualParameters(
  kms: KmsEndpoint,
  target: Pick<TargetKey, 'keyId' | 'keySpec'>,
  want: {
    readonly wrappingKeySpec: WrappingKeySpec;
    readonly hash: Wrapping['hash'];
    readonly check: (choice: WrappingChoice) => void;
  },
): Promise<ImportParameters> {
  const { wrappingKeySpec, hash, check } = want;
  const choice = { wrappingKeySpec, wrappingAlgorithm: usualAlgorithm(target.keySpec, hash) };
  check(choice);
  try {
    return await downloadParameters(kms, target, choice);
  } catch (error) {
    // The token behind the endpoint may know no other hash than SHA-1: SoftHSM2 does not.
    const isUnsupported =
      error instanceof CeremonyError && error.details['exception'] === 'UnsupportedOperationException';
    if (!isUnsupported || hash === 'sha1') throw error;
    return downloadUsualParameters(kms, target, { ...want, hash: 'sha1' });
  }
}

/** The endpoint's time when it gave the parameters, milliseconds: they are valid for a day. Null where nobody has written it down. */
export function issuedMs({ validToMs }: ImportParameters): number | null {
  return validToMs === null ? null : validToMs - PARAMETERS_MS;
}

/** SHA-256 of the public key, in hexadecimal: what people compare on both sides of an air gap. */
export function fingerprintOf({ publicKey }: Pick<ImportParameters, 'publicKey'>): string {
  return createHash('sha256').update(publicKey).digest('hex');
}

/**
 * Writes parameters into a directory, which must not hold any.
 *
 * @throws {@link CeremonyError} `ERR_CEREMONY_PARAMETERS`
 */
export function saveParameters(parameters: ImportParameters, directory: string): void {
  const { publicKey, importToken, validToMs, ...facts } = parameters;
  if (existsSync(join(directory, PARAMETER_FILES.publicKey))) {
    throw new CeremonyError('ERR_CEREMONY_PARAMETERS', `${directory} holds parameters already`, {
      remedy: 'name another directory: each import has parameters of its own',
    });
  }
  const description = {
    ...facts,
    publicKeySha256: fingerprintOf(parameters),
    parametersValidTo: validToMs === null ? null : new Date(validToMs).toISOString(),
  };
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const files: readonly (readonly [string, string | Uint8Array])[] = [
      [PARAMETER_FILES.publicKey, publicKey],
      [PARAMETER_FILES.importToken, importToken],
      [PARAMETER_FILES.description, `${JSON.stringify(description, undefined, 2)}\n`],
      [PARAMETER_FILES.readme, readme(parameters)],
    ];
    for (const [name, content] of files) writeFileSync(join(directory, name), content, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    throw unusable(directory, error);
  }
}

/** What a command says about parameters whose directory does not: those that the AWS console has made. */
export interface KnownParameters {
  readonly keyId?: string | undefined;
  readonly keySpec?: string | undefined;
  readonly wrappingAlgorithm?: WrappingAlgorithm | undefined;
}

/**
 * Reads a directory of parameters. Without `parameters.json` (the AWS console's download), `known` has to say the rest.
 *
 * @throws {@link CeremonyError} `ERR_CEREMONY_PARAMETERS`, also where `known` contradicts the directory
 */
export function readParameters(directory: string, known: KnownParameters = {}): ImportParameters {
  let publicKey: Uint8Array;
  let importToken: Uint8Array;
  let described: Readonly<Record<string, unknown>> = {};
  try {
    publicKey = readFileSync(join(directory, PARAMETER_FILES.publicKey));
    importToken = readFileSync(join(directory, PARAMETER_FILES.importToken));
    const file = join(directory, PARAMETER_FILES.description);
    if (existsSync(file)) described = JSON.parse(readFileSync(file, 'utf8')) as typeof described;
  } catch (error) {
    throw unusable(directory, error);
  }
  const member = (name: keyof KnownParameters, option: string): string => {
    const inFile = described[name];
    const said = known[name];
    if (
      typeof inFile === 'string' &&
      said !== undefined &&
      said !== inFile &&
      !(name === 'keyId' && inFile.endsWith(`/${said}`))
    ) {
      throw new CeremonyError('ERR_CEREMONY_PARAMETERS', `${directory} is for ${inFile}, not for ${said}`);
    }
    const value = typeof inFile === 'string' ? inFile : said;
    if (value !== undefined) return value;
    throw new CeremonyError('ERR_CEREMONY_PARAMETERS', `${directory} does not say its ${name}`, {
      remedy: `give ${option}`,
    });
  };
  const algorithm = member('wrappingAlgorithm', '--wrapping-algorithm');
  const wrappingAlgorithm = WRAPPING_ALGORITHMS.find((candidate) => candidate === algorithm);
  const wrappingKeySpec = WRAPPING_KEY_SPECS.find(
    (candidate) => parsePublicKey(publicKey, { kind: 'rsa', modulusBits: modulusBitsOf(candidate) }) !== null,
  );
  if (wrappingAlgorithm === undefined || wrappingKeySpec === undefined) {
    throw new CeremonyError(
      'ERR_CEREMONY_PARAMETERS',
      `${directory} holds no RSA public key and algorithm of an import`,
    );
  }
  const validTo = Date.parse(String(described['parametersValidTo']));
  return checked({
    keyId: member('keyId', '--key-id'),
    keySpec: parseKeySpec(member('keySpec', `--key-spec, one of ${IMPORTED_KEY_SPECS.join(', ')}`)),
    wrappingAlgorithm,
    wrappingKeySpec,
    publicKey,
    importToken,
    validToMs: Number.isNaN(validTo) ? null : validTo,
  });
}

/** Nothing but an RSA public key of the size that was asked for may wrap material. */
function checked(parameters: ImportParameters): ImportParameters {
  const { publicKey, importToken, wrappingKeySpec } = parameters;
  const modulusBits = modulusBitsOf(wrappingKeySpec);
  if (parsePublicKey(publicKey, { kind: 'rsa', modulusBits }) === null) {
    throw new CeremonyError('ERR_CEREMONY_PARAMETERS', `The wrapping key is no ${wrappingKeySpec} public key`);
  }
  if (importToken.length === 0 || importToken.length > IMPORT_OCTETS_MAX) {
    throw new CeremonyError('ERR_CEREMONY_PARAMETERS', `An import token has 1 to ${IMPORT_OCTETS_MAX} octets`, {
      details: { octets: importToken.length },
    });
  }
  return parameters;
}

function octetsOf(member: unknown): Uint8Array {
  return Buffer.from(typeof member === 'string' ? member : '', 'base64');
}

function unusable(directory: string, cause: unknown): CeremonyError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new CeremonyError('ERR_CEREMONY_PARAMETERS', `${directory} cannot be used: ${reason}`, { cause });
}

function readme(parameters: ImportParameters): string {
  const { keyId, keySpec, wrappingAlgorithm, wrappingKeySpec, validToMs } = parameters;
  return [
    `Parameters for one import of key material into ${keyId} (${keySpec}).`,
    '',
    `Wrap the material under ${PARAMETER_FILES.publicKey} (${wrappingKeySpec}, DER SubjectPublicKeyInfo) with ${wrappingAlgorithm}:`,
    '',
    `  keyferry import wrap --parameters . --material FILE`,
    '',
    `then upload it together with ${PARAMETER_FILES.importToken}:`,
    '',
    `  keyferry import upload --parameters . --does-not-expire`,
    '',
    `SHA-256 of the public key: ${fingerprintOf(parameters)}`,
    ...(validToMs === null ? [] : [`The parameters end at ${new Date(validToMs).toISOString()}.`]),
    '',
  ].join('\n');
}
