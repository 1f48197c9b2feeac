import { formatListenAddress } from '../listen.js';
import { claimAddresses } from './addresses.js';
import { labAccessKey, writeAwsFiles } from './aws_files.js';
import type { Lab } from './lab_file.js';
import type { AccessKey } from './region_config.js';
import type { SeededKey } from './seeded_key.js';
import { identityOf } from './process_identity.js';
import { assertSameLab, provisionLab, type ShowStep } from './provisioning.js';
import { settleRestore } from './restore_settlement.js';
import type { LabState, StateDirectory } from './state_directory.js';
import { Supervisor, type SupervisorTimes } from './supervisor.js';

/** What `keyferry up --json` prints when all is ready. */
export interface LabSummary {
  /** URL of the front door. */
  readonly endpoint: string;
  /** URL of the console; null where it is off. */
  readonly console: string | null;
  /** URL of each region's own endpoint. */
  readonly regions: Readonly<Record<string, string>>;
  readonly awsConfigFile: string;
  readonly awsCredentialsFile: string;
  /** What became of the keys of the lab file's seed. */
  readonly seed: readonly SeededKey[];
}

/** A lab whose programs all answered. */
export interface RunningLab {
  readonly summary: LabSummary;
  /** Stops every program; removes nothing that lasts. */
  stop(): Promise<void>;
}

/**
 * Runs a lab: looks whether it can, provisions what is missing, and starts the proxy, the regions and the front door.
 *
 * @throws {@link ConfigError} `ERR_CONFIG_PORT_BUSY` or `ERR_CONFIG_STATE` before anything is started; {@link LabError} where a program fails
 */
export async function runLab(
  directory: StateDirectory,
  lab: Lab,
  options: {
    readonly showStep: ShowStep;
    readonly times?: Partial<SupervisorTimes>;
    /** Ends the start early: its reason is thrown, and nothing is left running. */
    readonly signal?: AbortSignal;
  },
): Promise<RunningLab> {
  const names = Object.keys(lab.regions);
  settleRestore(directory.root);
  directory.make(names);
  const unlock = directory.lock();
  try {
    const addresses = await claimAddresses(lab);
    assertSameLab(directory, lab);
    await provisionLab(directory, lab, { addresses, showStep: options.showStep, signal: options.signal });
    options.signal?.throwIfAborted();

    const scheme = lab.tls === undefined ? 'http' : 'https';
    const endpoint = `${scheme}://${formatListenAddress(addresses.endpoint)}`;
    const startedMs = Date.now();
    const supervisor: Supervisor = new Supervisor(directory, {
      onChange: () => directory.writeState(stateOf(lab, { endpoint, startedMs, programs: supervisor.states() })),
      ...(options.times === undefined ? {} : { times: options.times }),
    });
    const stop = async (): Promise<void> => {
      await supervisor.stop();
      unlock();
    };
    try {
      await options.showStep(`starting ${names.join(', ')}, the proxy and the front door`, () =>
        Promise.all([
          supervisor.start({
            name: 'proxy',
            args: ['proxy', '--listen', formatListenAddress(addresses.proxy), '--directory', directory.proxy],
          }),
          ...names.map((name) =>
            supervisor.start({ name: `region ${name}`, args: ['region', '--config', directory.regionConfig(name)] }),
          ),
          supervisor.start({
            name: 'front-door',
            args: [
              'front-door',
              '--listen',
              formatListenAddress(addresses.endpoint),
              ...tlsOptions(lab.tls),
              ...names.flatMap((name) => [
                '--region',
                `${name}=${scheme}://${formatListenAddress(addresses.regions[name] ?? addresses.endpoint)}`,
              ]),
            ],
          }),
        ]),
      );
      options.signal?.throwIfAborted();
      if (addresses.console !== undefined) {
        const listen = formatListenAddress(addresses.console);
        await supervisor.start({ name: 'console', args: ['console', '--dir', directory.root, '--listen', listen] });
      }
    } catch (error) {
      await stop();
      throw error;
    }
    const accessKey = labAccessKey(directory, lab);
    const caFile = caFileOf(lab);
    writeAwsFiles(directory, { key: accessKey, endpoint, caFile, region: names[0] ?? '' });
    try {
      const seeded = await prepare(directory, lab, { endpoint, caFile, accessKey, ...options });
      directory.writeSeedReport(seeded);
    } catch (error) {
      await stop();
      throw error;
    }
    return {
      summary: summaryOf(directory, stateOf(lab, { endpoint, startedMs, programs: supervisor.states() })),
      stop,
    };
  } catch (error) {
    unlock();
    throw error;
  }
}

/** What `up` prints and `env` needs, from the state that it wrote. */
export function summaryOf(directory: StateDirectory, state: LabState): LabSummary {
  return {
    endpoint: state.endpoint,
    console: state.programs['console']?.url ?? null,
    regions: Object.fromEntries(state.regions.map((name) => [name, state.programs[`region ${name}`]?.url ?? ''])),
    awsConfigFile: directory.awsConfigFile,
    awsCredentialsFile: directory.awsCredentialsFile,
    seed: directory.readSeedReport(),
  };
}

/** File of the certificates that clients of a lab are to trust; null where it speaks HTTP. */
function caFileOf({ tls }: Lab): string | null {
  return tls === undefined ? null : (tls.authority ?? tls.certificate);
}

function tlsOptions(tls: Lab['tls']): readonly string[] {
  if (tls === undefined) return [];
  const authority = tls.authority === undefined ? [] : ['--tls-authority', tls.authority];
  return ['--tls-certificate', tls.certificate, '--tls-key', tls.key, ...authority];
}

function stateOf(
  lab: Lab,
  run: { readonly endpoint: string; readonly startedMs: number; readonly programs: LabState['programs'] },
): LabState {
  return {
    supervisor: identityOf(process.pid) ?? { pid: process.pid, started: '' },
    startedMs: run.startedMs,
    partition: lab.partition,
    account: lab.account,
    profile: lab.profile,
    endpoint: run.endpoint,
    caFile: caFileOf(lab),
    programs: { ...run.programs },
    regions: Object.keys(lab.regions),
  };
}

/** What wraps material is loaded only where there is a seed. */
async function prepare(
  directory: StateDirectory,
  lab: Lab,
  run: {
    readonly endpoint: string;
    readonly caFile: string | null;
    readonly accessKey: AccessKey;
    readonly showStep: ShowStep;
    readonly signal?: AbortSignal;
  },
): Promise<readonly SeededKey[]> {
  if (lab.seed.length === 0) return [];
  const { applySeed } = await import('./seed.js');
  return run.showStep(`preparing ${lab.seed.length} keys`, () => applySeed(directory, lab.seed, run));
}
