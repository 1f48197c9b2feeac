import { readFileSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { clockOffsetMs, RecordReader, type LabRecord } from '../lab/record_reader.js';
import { readRegionConfig, type RegionConfig } from '../lab/region_config.js';
import type { LabState, StateDirectory } from '../lab/state_directory.js';
import { readValidationPage } from '../lab/validation_reports.js';
import { LIMITS } from '../limits.js';
import type { ConsoleLab, ConsolePrincipal, LabEvent, OperatorAsk } from './console_lab.js';
import { ConsoleError } from './errors.js';
import type { LabFacts } from './lab_form.js';
import { answerOperator } from './operator.js';
import { ReplicationWatch } from './replication_watch.js';

/** A lab that `keyferry up` runs, seen through its directory. */
export class LabInDirectory implements ConsoleLab {
  readonly principals: readonly ConsolePrincipal[];
  readonly #directory: StateDirectory;
  readonly #config: RegionConfig;
  readonly #replications: ReplicationWatch;

  /** @throws {@link ConsoleError} `ERR_CONSOLE_UNAVAILABLE` where no lab has run there */
  constructor(directory: StateDirectory) {
    this.#directory = directory;
    const { regions } = this.#state();
    const [first = ''] = regions;
    this.#replications = new ReplicationWatch(directory, regions);
    this.#config = readRegionConfig(directory.regionConfig(first));
    const { credentials, account } = this.#config;
    this.principals = credentials.map(({ accessKeyId, secretAccessKey, sessionToken, principal, policy }) => ({
      arn: principal,
      key: { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) },
      isOperator: (policy ?? null) === null && principal.split(':')[4] === account,
    }));
  }

  facts(): LabFacts {
    const { partition, account, endpoint, profile, regions } = this.#state();
    return {
      partition,
      account,
      endpoint,
      profile,
      regions,
      isLab: this.#config.lab,
      clockOffsetMs: this.#clocks(regions),
    };
  }

  endpoint(): { readonly url: string; readonly ca?: Buffer } {
    const { endpoint, caFile } = this.#state();
    return { url: endpoint, ...(caFile !== null && { ca: readFileSync(caFile) }) };
  }

  operate(ask: OperatorAsk): Promise<unknown> {
    return answerOperator({
      directory: this.#directory,
      state: this.#state(),
      replications: this.#replications,
      ask,
    });
  }

  validationPage(name: string): Buffer | undefined {
    return readValidationPage(this.#directory, name);
  }

  async watch(tell: (event: LabEvent) => void, signal: AbortSignal): Promise<void> {
    await Promise.all([
      this.#watchTrail(tell, signal),
      this.#watchPrograms(tell, signal),
      this.#replications.follow((replications) => tell({ type: 'trace', replications }), signal),
    ]);
  }

  async #watchTrail(tell: (event: LabEvent) => void, signal: AbortSignal): Promise<void> {
    const filter = { texts: ['"readOnly":false'], matches: () => true };
    const { regions } = this.#state();
    const reader = new RecordReader(this.#directory, { regions, kind: 'trail', filter });
    for await (const records of reader.follow(signal)) {
      for (const [region, names] of namesByRegion(records)) tell({ type: 'changed', region, names: [...names] });
    }
  }

  async #watchPrograms(tell: (event: LabEvent) => void, signal: AbortSignal): Promise<void> {
    let before = this.#fingerprint();
    while (!signal.aborted) {
      await sleep(LIMITS.consoleWatchMs, undefined, { signal }).catch(() => undefined);
      const now = this.#fingerprint();
      if (now !== before) tell({ type: 'lab' });
      before = now;
    }
  }

  /** Changes whenever a program has started or ended, or a clock was moved. */
  #fingerprint(): string {
    const written = statSync(this.#directory.stateFile, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    return JSON.stringify([written, this.#clocks(this.#state().regions)]);
  }

  #clocks(regions: readonly string[]): LabFacts['clockOffsetMs'] {
    return Object.fromEntries(regions.map((name) => [name, clockOffsetMs(this.#directory, name)]));
  }

  #state(): LabState {
    const state = this.#directory.readState();
    if (state !== undefined) return state;
    throw new ConsoleError('ERR_CONSOLE_UNAVAILABLE', `No lab has run in ${this.#directory.root}`);
  }
}

function namesByRegion(records: readonly LabRecord[]): ReadonlyMap<string, ReadonlySet<string>> {
  const names = new Map<string, Set<string>>();
  for (const { region, value } of records) {
    names.set(region, (names.get(region) ?? new Set()).add(String(value['eventName'])));
  }
  return names;
}
