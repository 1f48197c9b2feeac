import { cpus, release, totalmem, type } from 'node:os';
import { versions } from 'node:process';

/** What a measurement depends on besides the program. */
export interface MachineFacts {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
  readonly node: string;
  readonly openssl: string;
}

/** Facts about the machine and nothing that names it. */
export function machineFacts(): MachineFacts {
  const processors = cpus();
  return {
    cpu: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release().split('-')[0] ?? ''}`.trim(),
    node: versions.node,
    openssl: versions.openssl,
  };
}
