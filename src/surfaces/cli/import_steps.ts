import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { CeremonyError } from '../../customer/errors.js';
import type { KmsEndpoint } from '../../customer/kms_endpoint.js';
import type { MaterialSource } from '../../customer/material_source.js';
import {
  describeTarget,
  downloadParameters,
  downloadUsualParameters,
  fingerprintOf,
  PARAMETER_FILES,
  readParameters,
  saveParameters,
  type ImportParameters,
  type TargetKey,
  type WrappingChoice,
} from '../../customer/parameters.js';
import { IMPORT_OCTETS_MAX, requireWrapping, requireWrappedOctets } from '../../customer/rules.js';
import { requireRequest, uploadMaterial } from '../../customer/upload.js';
import { act, command, type CommandContext, type CommonOptions } from './command_context.js';
import { confirm } from './confirmation.js';
import { announce, report, requestRows } from './import_report.js';
import {
  addKmsOptions,
  addKnownOptions,
  addMaterialOptions,
  addRequestOptions,
  addWrappingOptions,
  openEndpoint,
  openMaterial,
  requestOf,
  type KmsOptions,
  type KnownOptions,
  type MaterialOptions,
  type RequestOptions,
  type WrappingOptions,
} from './import_options.js';

interface ParametersOptions extends CommonOptions, KmsOptions, WrappingOptions {
  readonly keyId: string;
  readonly out: string;
}

/** `keyferry import parameters`: the first of three steps. */
export function parametersCommand(_context: CommandContext): Command {
  const target = command(
    'parameters',
    'first step: download a public key and an import token into a directory, for one import within 24 hours',
    'keyferry import parameters --key-id KEY --out to-the-vault',
  )
    .requiredOption('--key-id <id|arn>', 'the KMS key, of origin EXTERNAL')
    .requiredOption('--out <directory>', 'where the parameters go; made where it is missing');
  addKmsOptions(addWrappingOptions(target));
  return act<ParametersOptions>(target, async ({ output, options }) => {
    const kms = openEndpoint(options, options.keyId);
    const key = await describeTarget(kms, options.keyId);
    const parameters = await downloadChecked(kms, key, options);
    const { wrappingAlgorithm, wrappingKeySpec } = parameters;
    saveParameters(parameters, options.out);
    const validTo = parameters.validToMs === null ? null : new Date(parameters.validToMs).toISOString();
    const publicKeySha256 = fingerprintOf(parameters);
    output.result(
      { ...key, wrappingAlgorithm, wrappingKeySpec, validTo, publicKeySha256, directory: options.out },
      () =>
        [
          `parameters for ${key.keyId} (${key.keySpec}) are in ${options.out}`,
          `${wrappingAlgorithm} with ${wrappingKeySpec}, until ${validTo ?? 'a day from now'}`,
          `SHA-256 of the public key: ${publicKeySha256}`,
        ].join('\n'),
    );
  });
}

/**
 * Downloads parameters of the algorithm that was asked for, or of the usual one.
 *
 * @param source - of the material, where it is known already: what does not fit is refused before anything is sent
 */
export async function downloadChecked(
  kms: KmsEndpoint,
  key: TargetKey,
  options: WrappingOptions,
  source?: MaterialSource,
): Promise<ImportParameters> {
  const { wrappingAlgorithm, wrappingKeySpec } = options;
  const check = (choice: WrappingChoice): void => {
    requireWrapping(key.keySpec, choice.wrappingAlgorithm, wrappingKeySpec);
    source?.requireRoom(choice);
  };
  if (wrappingAlgorithm === undefined) {
    return downloadUsualParameters(kms, key, { wrappingKeySpec, hash: source?.hash ?? 'sha256', check });
  }
  const choice = { wrappingAlgorithm, wrappingKeySpec };
  check(choice);
  return downloadParameters(kms, key, choice);
}

interface WrapOptions extends CommonOptions, MaterialOptions, KnownOptions {
  readonly parameters: string;
  readonly out?: string;
}

/** `keyferry import wrap`: the second step, which needs no network. */
export function wrapCommand(_context: CommandContext): Command {
  const target = command(
    'wrap',
    'second step, without a network: wrap the material under the downloaded public key',
    'keyferry import wrap --parameters to-the-vault --material key.bin\nkeyferry import wrap --parameters to-the-vault --from-token softhsm2 --label vault --pin-file pin --object payments',
  )
    .requiredOption('--parameters <directory>', 'what the first step has made')
    .option(
      '--out <file>',
      `where the wrapped material goes (default: ${PARAMETER_FILES.wrapped} beside the parameters)`,
    );
  addKnownOptions(addMaterialOptions(target));
  return act<WrapOptions>(target, async ({ output, options }) => {
    const parameters = readParameters(options.parameters, options);
    const { keyId, keySpec, wrappingAlgorithm, wrappingKeySpec } = parameters;
    requireWrapping(keySpec, wrappingAlgorithm, wrappingKeySpec);
    const file = options.out ?? join(options.parameters, PARAMETER_FILES.wrapped);
    const publicKeySha256 = fingerprintOf(parameters);
    const source = await openMaterial(options);
    try {
      source.require(keySpec);
      source.requireRoom(parameters);
      announce(output, {
        keyId,
        keySpec,
        material: source.description,
        wrapping: `${wrappingAlgorithm} with ${wrappingKeySpec}`,
        publicKey: `SHA-256 ${publicKeySha256}`,
        file,
      });
      const { octets, strategy, notes } = await source.wrap(parameters);
      for (const note of notes) output.note(note);
      writeNew(file, octets);
      const document = {
        keyId,
        keySpec,
        wrappingAlgorithm,
        publicKeySha256,
        strategy,
        wrappedOctets: octets.length,
        file,
      };
      output.result(document, () => `${octets.length} octets, wrapped ${strategy}, are in ${file}`);
    } finally {
      await source.close();
    }
  });
}

interface UploadOptions extends CommonOptions, KmsOptions, RequestOptions, KnownOptions {
  readonly parameters: string;
  readonly wrapped?: string;
}

/** `keyferry import upload`: the third step. */
export function uploadCommand(_context: CommandContext): Command {
  const target = command(
    'upload',
    'third step: upload the wrapped material with the import token of its parameters',
    'keyferry import upload --parameters to-the-vault --valid-to 2027-03-01T12:00:00Z',
  )
    .requiredOption('--parameters <directory>', 'what the first step has made')
    .option(
      '--wrapped <file>',
      `what the second step has made (default: ${PARAMETER_FILES.wrapped} beside the parameters)`,
    );
  addKmsOptions(addKnownOptions(addRequestOptions(target)));
  return act<UploadOptions>(target, async ({ output, options }) => {
    const request = requestOf(options);
    const parameters = readParameters(options.parameters, options);
    const { keyId, keySpec, wrappingAlgorithm, wrappingKeySpec } = parameters;
    const wrapped = readWrapped(options.wrapped ?? join(options.parameters, PARAMETER_FILES.wrapped));
    requireRequest(request, parameters);
    requireWrappedOctets(wrapped.length, wrappingAlgorithm, wrappingKeySpec);
    const kms = openEndpoint(options, keyId);
    announce(output, {
      keyId,
      keySpec,
      material: `wrapped by ${wrappingAlgorithm} with ${wrappingKeySpec}, ${wrapped.length} octets`,
      ...requestRows(request, parameters),
      endpoint: `${kms.url}, region ${kms.region}`,
    });
    confirm(`Import into ${keyId}?`, { isConfirmed: options.yes === true });
    const imported = await uploadMaterial(kms, parameters, wrapped, request);
    report(output, imported, { parameters, wrappedOctets: wrapped.length });
  });
}

function writeNew(file: string, octets: Uint8Array): void {
  try {
    writeFileSync(file, octets, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    throw unusable(file, error);
  }
}

function readWrapped(file: string): Uint8Array {
  try {
    const octets = readFileSync(file);
    if (octets.length <= IMPORT_OCTETS_MAX) return octets;
  } catch (error) {
    throw unusable(file, error);
  }
  throw new CeremonyError('ERR_CEREMONY_MATERIAL', `${file} is longer than ${IMPORT_OCTETS_MAX} octets`);
}

function unusable(file: string, cause: unknown): CeremonyError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new CeremonyError('ERR_CEREMONY_PARAMETERS', `${file} cannot be used: ${reason}`, { cause });
}
