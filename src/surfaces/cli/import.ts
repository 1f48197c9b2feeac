import type { Command } from 'commander';
import { describeTarget, fingerprintOf } from '../../customer/parameters.js';
import { requireRequest, uploadMaterial } from '../../customer/upload.js';
import { act, command, type CommandContext, type CommonOptions } from './command_context.js';
import { confirm } from './confirmation.js';
import { announce, report, requestRows } from './import_report.js';
import {
  addKmsOptions,
  addMaterialOptions,
  addRequestOptions,
  addWrappingOptions,
  openEndpoint,
  openMaterial,
  requestOf,
  type KmsOptions,
  type MaterialOptions,
  type RequestOptions,
  type WrappingOptions,
} from './import_options.js';
import { downloadChecked, parametersCommand, uploadCommand, wrapCommand } from './import_steps.js';

/** `keyferry import …`: brings key material of one’s own into a KMS key, at Keyferry’s endpoint or another’s. */
export function importCommand(context: CommandContext): Command {
  const target = command(
    'import',
    'bring key material of your own into a KMS key: from a file, standard input or a PKCS#11 token, to any endpoint that speaks KMS',
    'keyferry import run --key-id KEY --material key.bin --does-not-expire',
  );
  for (const each of [runCommand, parametersCommand, wrapCommand, uploadCommand]) target.addCommand(each(context));
  return target;
}

interface RunOptions extends CommonOptions, KmsOptions, MaterialOptions, WrappingOptions, RequestOptions {
  readonly keyId: string;
}

function runCommand(_context: CommandContext): Command {
  const target = command(
    'run',
    'the whole ceremony: download parameters, wrap, upload',
    [
      'keyferry import run --key-id KEY --material key.bin --valid-for 90d',
      'openssl rand 32 | keyferry import run --key-id KEY --material - --does-not-expire --yes',
      'keyferry import run --key-id ARN --from-token /opt/hsm/lib/p11.so --label vault --pin-file pin --object payments --does-not-expire',
    ].join('\n'),
  ).requiredOption('--key-id <id|arn>', 'the KMS key, of origin EXTERNAL');
  for (const add of [addMaterialOptions, addRequestOptions, addWrappingOptions, addKmsOptions]) add(target);
  return act<RunOptions>(target, async ({ output, options }) => {
    const request = requestOf(options);
    const kms = openEndpoint(options, options.keyId);
    const source = await openMaterial(options);
    try {
      const key = await describeTarget(kms, options.keyId);
      source.require(key.keySpec);
      requireRequest(request, key);
      const parameters = await downloadChecked(kms, key, options, source);
      const { wrappingAlgorithm, wrappingKeySpec } = parameters;
      announce(output, {
        ...key,
        material: source.description,
        wrapping: `${wrappingAlgorithm} with ${wrappingKeySpec}`,
        publicKey: `SHA-256 ${fingerprintOf(parameters)}`,
        ...requestRows(request, parameters),
        endpoint: `${kms.url}, region ${kms.region}`,
      });
      confirm(`Import into ${key.keyId}?`, { isConfirmed: options.yes === true });
      const wrapped = await source.wrap(parameters);
      for (const note of wrapped.notes) output.note(note);
      const imported = await uploadMaterial(kms, parameters, wrapped.octets, request);
      report(output, imported, { parameters, strategy: wrapped.strategy, wrappedOctets: wrapped.octets.length });
    } finally {
      await source.close();
    }
  });
}
