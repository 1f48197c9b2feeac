import { quantile } from '../../bench/statistics.js';
import { Chance } from '../support/chance.js';
import type { LabTokens } from '../support/lab_process.js';
import { makeClientLog, SoakClient, type ClientLog } from './soak_client.js';
import { makeFaults, type MadeFault } from './soak_faults.js';
import { recordedRequests, SoakLab } from './soak_lab.js';
import { excesses, ResourceWatch, type Life } from './soak_resources.js';
import { verifyAll, type Verified } from './soak_verification.js';
import { makeSharedKeys, work } from './soak_worker.js';
import { Asker, SoakStop, violate, type SoakWorld } from './soak_world.js';

export interface SoakOptions {
  readonly seed: number;
  readonly seconds: number;
  readonly clients: number;
  readonly tokens: LabTokens;
  /** Mean pause between faults, milliseconds. */
  readonly pauseMs: number;
  /** Leaves the lab's directory and says where it is. */
  readonly keep?: boolean;
}

/** What a soak has seen. */
export interface SoakResult {
  readonly options: SoakOptions;
  readonly log: ClientLog;
  readonly faults: readonly MadeFault[];
  readonly lives: readonly Life[];
  readonly verified: Verified;
  /** Acknowledged requests, and those of them that a trail knows. */
  readonly trail: { readonly acknowledged: number; readonly recorded: number };
  /** Times of done requests while faults were made, milliseconds. */
  readonly latencyMs: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly violations: readonly string[];
  readonly violationCount: number;
  readonly verificationSeconds: number;
  readonly root: string;
}

/** Share of the time in which regions are killed; then they live long enough to see whether they grow. */
const KILLING_SHARE = 0.6;

/** Runs a lab under load and faults, then reads everything that it acknowledged. */
export async function soak(options: SoakOptions): Promise<SoakResult> {
  const lab = await SoakLab.start(options.tokens);
  const regions = Object.keys(options.tokens);
  const log = makeClientLog(regions);
  const world: SoakWorld = {
    seed: options.seed,
    regions,
    doors: new Map(
      lab.regions.map(({ name, url }) => {
        const common = { region: name, credential: lab.credential, log };
        return [name, [new SoakClient({ ...common, url }), new SoakClient({ ...common, url: lab.frontDoorUrl })]];
      }),
    ),
    shared: [],
    keys: [],
    aliases: new Map(),
    violations: [],
    violationCount: 0,
  };
  const asker = (name: string, index: number): Asker =>
    new Asker(world, name, new Chance(options.seed * 1_009 + index));
  const watch = new ResourceWatch(lab.regions);
  try {
    await makeSharedKeys(asker('setup', 0));
    const made: MadeFault[] = [];
    const start = performance.now();
    const elapsed = (): number => (performance.now() - start) / 1000;
    let isBroken = false;
    const isOver = (): boolean => isBroken || elapsed() > options.seconds;
    const run = async (client: Asker, own: SoakWorld['keys']): Promise<void> => {
      try {
        await work(client, isOver, own);
      } catch (error) {
        if (!(error instanceof SoakStop)) {
          isBroken = true;
          throw error;
        }
        client.violate(error.message);
      }
    };
    const faults = makeFaults(lab, new Chance(options.seed), {
      isOver,
      mayKill: () => elapsed() < options.seconds * KILLING_SHARE,
      pauseMs: options.pauseMs,
      made,
    });
    await Promise.all([
      faults,
      // What all clients use is changed by the first one alone.
      run(asker('owner', 1), [...world.shared]),
      ...Array.from({ length: options.clients - 1 }, (_, index) => run(asker(`client${index + 2}`, index + 2), [])),
    ]);
    const sorted = Float64Array.from(log.latencies).sort();
    const latencyMs = { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99), max: sorted.at(-1) ?? 0 };
    const settled = performance.now();
    const verified = await verifyAll(asker('verification', 0));
    watch.stop();
    const verificationSeconds = (performance.now() - settled) / 1000;
    const trail = compareTrails(lab, world, log);
    for (const life of watch.lives) for (const excess of excesses(life)) violate(world, excess);
    const { violations, violationCount } = world;
    const { lives } = watch;
    return {
      options,
      log,
      faults: made,
      lives,
      verified,
      trail,
      latencyMs,
      violations,
      violationCount,
      verificationSeconds,
      root: lab.root,
    };
  } finally {
    watch.stop();
    for (const clients of world.doors.values()) for (const client of clients) client.close();
    await lab.close({ keep: options.keep ?? false });
  }
}

function compareTrails(lab: SoakLab, world: SoakWorld, log: ClientLog): SoakResult['trail'] {
  let [acknowledged, recorded] = [0, 0];
  for (const region of lab.regions) {
    const known = recordedRequests(region);
    const ids = [...(log.acknowledged.get(region.name) ?? [])];
    const missing = ids.filter((id) => !known.has(id));
    acknowledged += ids.length;
    recorded += ids.length - missing.length;
    if (missing.length > 0) {
      violate(
        world,
        `the trail of ${region.name} lacks ${missing.length} acknowledged calls, among them ${missing[0] ?? ''}`,
      );
    }
  }
  return { acknowledged, recorded };
}
