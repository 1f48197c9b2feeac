import { readdirSync, readFileSync } from 'node:fs';
import type { SoakRegion } from './soak_lab.js';

const SAMPLE_MS = 1_000;
/** A process that lives shorter still fills its caches, seconds. */
const LIFE_SECONDS_MIN = 60;
/** A region of some hundred keys uses less, MiB. */
const MEMORY_MAX = 400;
/** What the last fifth of a life may have beyond the second one: its keys and what they made, MiB. */
const MEMORY_GROWTH_MAX = 40;
/** Databases, logs, sockets of the clients and of the front door. */
const DESCRIPTORS_MAX = 400;
const DESCRIPTORS_GROWTH_MAX = 24;

interface Sample {
  readonly seconds: number;
  readonly mebibytes: number;
  readonly descriptors: number;
}

/** What one process of a region used. */
export interface Life {
  readonly region: string;
  readonly samples: Sample[];
}

/** Watches memory and descriptors of the regions' processes. */
export class ResourceWatch {
  readonly #lives = new Map<number, Life>();
  readonly #timer: NodeJS.Timeout;

  constructor(regions: readonly SoakRegion[]) {
    const start = performance.now();
    this.#timer = setInterval(() => {
      for (const { name, program } of regions) this.#sample(name, program.pid, (performance.now() - start) / 1000);
    }, SAMPLE_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  get lives(): readonly Life[] {
    return [...this.#lives.values()];
  }

  #sample(region: string, pid: number, seconds: number): void {
    try {
      const resident = /^VmRSS:\s+(\d+) kB$/mu.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
      if (resident === undefined) return;
      const life = this.#lives.get(pid) ?? { region, samples: [] };
      this.#lives.set(pid, life);
      const descriptors = readdirSync(`/proc/${pid}/fd`).length;
      life.samples.push({ seconds, mebibytes: Number(resident) / 1024, descriptors });
    } catch {
      // It ended meanwhile.
    }
  }
}

/** Says what is wrong with what a process used; nothing where nothing is. */
export function excesses({ region, samples }: Life): readonly string[] {
  const found: string[] = [];
  const most = (of: (sample: Sample) => number): number => Math.max(0, ...samples.map(of));
  const memory = most(({ mebibytes }) => mebibytes);
  const descriptors = most((sample) => sample.descriptors);
  if (memory > MEMORY_MAX) found.push(`${region} used ${memory.toFixed(0)} MiB`);
  if (descriptors > DESCRIPTORS_MAX) found.push(`${region} had ${descriptors} descriptors`);
  const [first, last] = [samples[0]?.seconds ?? 0, samples.at(-1)?.seconds ?? 0];
  if (last - first < LIFE_SECONDS_MIN) return found;
  const middle = (of: (sample: Sample) => number, fifth: number): number => {
    const part = samples.slice((samples.length * fifth) / 5, (samples.length * (fifth + 1)) / 5).map(of);
    return part.sort((a, b) => a - b)[Math.floor(part.length / 2)] ?? 0;
  };
  const growth = (of: (sample: Sample) => number): number => middle(of, 4) - middle(of, 1);
  const [memoryGrowth, descriptorGrowth] = [
    growth(({ mebibytes }) => mebibytes),
    growth((sample) => sample.descriptors),
  ];
  const over = `in ${(last - first).toFixed(0)} s`;
  if (memoryGrowth > MEMORY_GROWTH_MAX) found.push(`${region} grew by ${memoryGrowth.toFixed(0)} MiB ${over}`);
  if (descriptorGrowth > DESCRIPTORS_GROWTH_MAX)
    found.push(`${region} has ${descriptorGrowth} descriptors more ${over}`);
  return found;
}
