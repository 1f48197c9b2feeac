import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { z } from 'zod';
import { LabError } from '../../lab/errors.js';
import { PartitionAuthority } from '../../lab/authority.js';
import { StateDirectory } from '../../lab/state_directory.js';
import { act, labCommand, type CommandContext, type CommonOptions } from './command_context.js';
import { table } from './output.js';

const claims = z
  .array(
    z.strictObject({
      region: z.string(),
      keyId: z.string(),
      keySpec: z.string().min(1).max(64),
      keyUsage: z.string().min(1).max(64),
      origin: z.enum(['AWS_KMS', 'EXTERNAL']),
    }),
  )
  .min(1)
  .max(1000);

/** `keyferry authority certify`: lets multi-Region keys have ids of somebody's choice. */
export function certifyCommand({ programs }: CommandContext): Command {
  const target = labCommand(
    'certify',
    'certify multi-Region key ids that were chosen, and do not certify themselves',
    `echo '[{"region":"us-east-1","keyId":"mrk-0123456789abcdef0123456789abcdef","keySpec":"SYMMETRIC_DEFAULT","keyUsage":"ENCRYPT_DECRYPT","origin":"AWS_KMS"}]' | keyferry authority certify`,
  );
  return act<CommonOptions & { readonly dir: string }>(target, async ({ output, options }) => {
    const wanted = claimsFrom(readFileSync(0, 'utf8'));
    const authority = await PartitionAuthority.open(new StateDirectory(options.dir).authority, programs.openAuthority);
    const certificates: Record<string, string> = {};
    try {
      for (const claim of wanted) certificates[claim.keyId] = await authority.certifyKey(claim);
    } finally {
      await authority.close();
    }
    output.result(certificates, () => table(Object.entries(certificates)));
  });
}

function claimsFrom(text: string): z.infer<typeof claims> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const result = claims.safeParse(value);
  if (result.success) return result.data;
  throw new LabError(
    'ERR_LAB_REQUEST',
    'Standard input is no JSON array of keys: region, keyId, keySpec, keyUsage, origin',
    {
      remedy: 'keyferry authority certify --help',
    },
  );
}
