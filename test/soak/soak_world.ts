import { setTimeout as sleep } from 'node:timers/promises';
import type { Chance } from '../support/chance.js';
import type { ModelKey } from './key_model.js';
import type { Answer, Members, SoakClient } from './soak_client.js';

/** Pause before a question is repeated, milliseconds. */
const AGAIN_MS = 100;
/** How long a question may go without an answer that counts, milliseconds: a region is never away for so long. */
const ASK_MS_MAX = 120_000;
/** Violations that are kept in full; further ones are counted. */
const VIOLATIONS_MAX = 50;

/** What all clients have in common. */
export interface SoakWorld {
  readonly seed: number;
  readonly regions: readonly string[];
  /** Clients by region: through the front door, and directly. */
  readonly doors: ReadonlyMap<string, readonly SoakClient[]>;
  /** Keys that every client uses. */
  readonly shared: ModelKey[];
  /** Every key that was acknowledged. */
  readonly keys: ModelKey[];
  /** Which key an alias of a region names, `null` where it was deleted; by `region alias`. */
  readonly aliases: Map<string, string | null>;
  readonly violations: string[];
  violationCount: number;
}

/** Notes what must not be. */
export function violate(world: SoakWorld, text: string): void {
  world.violationCount += 1;
  if (world.violations.length < VIOLATIONS_MAX) world.violations.push(`seed ${world.seed}: ${text}`);
}

/** One client's way to the regions. */
export class Asker {
  readonly world: SoakWorld;
  readonly name: string;
  readonly chance: Chance;

  constructor(world: SoakWorld, name: string, chance: Chance) {
    this.world = world;
    this.name = name;
    this.chance = chance;
  }

  violate(text: string): void {
    violate(this.world, `${this.name}: ${text}`);
  }

  /** Asks once, through a door that chance chooses. */
  async once(region: string, operation: string, request: object): Promise<Answer> {
    const door = this.chance.pick(this.world.doors.get(region) ?? []);
    if (door === undefined) throw new Error(`nobody answers for ${region}`);
    const answer = await door.send(operation, request);
    if (answer.kind === 'open' && answer.message === 'NoAnswer') this.violate(`${operation} at ${region} hung`);
    // A client whose connection is refused does not try again at once either.
    if (answer.kind === 'open') await sleep(AGAIN_MS);
    return answer;
  }

  /**
   * Sends a request that must be done, or refused with one of some exceptions.
   *
   * @returns the answer; undefined where it was not the one that was expected
   */
  async expect(
    region: string,
    operation: string,
    request: object,
    refusals: readonly (string | undefined)[] = [undefined],
  ): Promise<Answer | undefined> {
    const answer = await this.once(region, operation, request);
    if (answer.kind === 'open' || refusals.includes(answer.kind === 'done' ? undefined : answer.name)) return answer;
    const what = answer.kind === 'done' ? `done` : `refused with ${answer.name} (${answer.message})`;
    const expected = refusals.map((name) => name ?? 'done').join(' or ');
    this.violate(
      `${operation} at ${region} was ${what} instead of ${expected}: ${JSON.stringify(request).slice(0, 200)}`,
    );
    return undefined;
  }

  /** Reads until there is an answer. @returns null where it was refused with `absent` */
  async read(region: string, operation: string, request: object, absent?: string): Promise<Members | null> {
    const deadline = performance.now() + ASK_MS_MAX;
    for (;;) {
      const answer = await this.once(region, operation, request);
      if (answer.kind === 'done') return answer.value;
      if (answer.kind === 'refused' && answer.name === absent) return null;
      if (answer.kind === 'refused' || performance.now() > deadline) {
        throw new SoakStop(
          `${operation} at ${region} failed with ${answer.name} (${answer.message}): ${JSON.stringify(request).slice(0, 200)}`,
        );
      }
    }
  }

  /**
   * Makes a change. Where the answer leaves open whether it was made, what is there now says so; it must be what was before or what
   * was asked for.
   *
   * @returns whether it was made
   */
  async change(options: {
    readonly region: string;
    readonly operation: string;
    readonly request: object;
    readonly refusal?: string | undefined;
    /** What is there, as text. */
    readonly look: () => Promise<string>;
    readonly before: string;
    readonly after: string;
  }): Promise<boolean> {
    const { region, operation, request, refusal, before, after } = options;
    const answer = await this.expect(region, operation, request, [refusal]);
    if (answer === undefined || answer.kind === 'refused') return false;
    if (answer.kind === 'done') return true;
    const now = await options.look();
    if (now === after) return true;
    if (now !== before) {
      this.violate(
        `${operation} at ${region} without an answer left ${now}, neither ${before} nor ${after}: ${JSON.stringify(request)}`,
      );
    }
    return false;
  }
}

/** A read that was refused: the client cannot go on. */
export class SoakStop extends Error {}
