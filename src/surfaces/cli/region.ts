import type { Command } from 'commander';
import { writePrivateFile } from '../../lab/private_files.js';
import { readRegionConfig } from '../../lab/region_config.js';
import { act, command, type CommandContext, type CommonOptions } from './command_context.js';
import { runUntilStopped } from './long_running.js';

interface RegionOptions extends CommonOptions {
  readonly config: string;
}

interface RegionInitOptions extends RegionOptions {
  readonly challenge: string;
  readonly output?: string;
}

/** `keyferry region` and `keyferry region init`: one region, by itself. */
export function regionCommand({ programs }: CommandContext): Command {
  const target = command(
    'region',
    'run one region: its KMS endpoint, its replication agent and its token',
    'keyferry region --config /var/lib/keyferry/eu-west-1/config.json',
  ).option('--config <file>', 'configuration of the region (JSON)');
  act<Partial<RegionOptions>>(target, async ({ output, options }) => {
    if (options.config === undefined) return target.help({ error: true });
    const config = readRegionConfig(options.config);
    await runUntilStopped(() => programs.startRegion(config), output, `region ${config.region}`);
  });

  const init = command(
    'init',
    'make the keys that the region’s token is missing, and print the enrolment request for the partition authority',
    'keyferry region init --config config.json --challenge "$(keyferry authority challenge eu-west-1)"',
  )
    .requiredOption('--config <file>', 'configuration of the region (JSON)')
    .requiredOption('--challenge <text>', 'challenge of the partition authority for this region')
    .option('--output <file>', 'write the enrolment request there instead');
  act<RegionInitOptions>(init, async ({ output, options }) => {
    const config = readRegionConfig(options.config);
    const made = await output.step(`provisioning the token of ${config.region}`, () =>
      programs.provisionRegion(config, options.challenge),
    );
    if (options.output !== undefined) writePrivateFile(options.output, `${made.enrolment}\n`);
    output.result({ region: config.region, ...made }, () =>
      options.output === undefined
        ? made.enrolment
        : `enrolment request with RSK ${made.kid} written to ${options.output}`,
    );
  });
  target.addCommand(init);
  return target;
}
