import { expect } from 'chai';
import { Chance } from '../support/chance.js';
import { HandoverWorld } from '../support/handover_world.js';

/** A schedule takes a third of a second: the signatures are real. */
const SCHEDULES = Math.ceil(Number(process.env['KEYFERRY_SCHEDULES'] ?? 800) / 100);
const FIRST_SEED = Number(process.env['KEYFERRY_SEED'] ?? 1);
const STEPS = 60;

describe('hand-overs in random schedules', function () {
  this.timeout(120_000);

  it('never make two primaries, and end in one that all regions know, however messages and processes fail', async () => {
    const primaries = new Map<string, number>();
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SCHEDULES; seed += 1) {
      const chance = new Chance(seed);
      const world = await HandoverWorld.make();
      try {
        for (let step = 0; step < STEPS; step += 1) {
          const region = chance.pick(world.regions) ?? expect.fail('no region');
          const at = chance.below(Math.max(1, world.waiting.length));
          const what = chance.below(20);
          if (what < 3) world.askHandover(region.name);
          else if (what < 13) await world.move(at, 'deliver');
          else if (what < 15) await world.move(at, 'drop');
          else if (what < 16) await world.move(at, 'repeat');
          else if (what < 19) await world.pass(chance.pick([500, 5_000, 70_000, 700_000]) ?? 0);
          else await world.restart(region);
          await world.settle();
          world.check();
        }
        const primary = await world.heal();
        primaries.set(primary, (primaries.get(primary) ?? 0) + 1);
      } catch (error) {
        throw new Error(`schedule ${seed}: ${error instanceof Error ? error.message : String(error)}`, {
          cause: error,
        });
      } finally {
        await world.close();
      }
    }
    // Keys have gone to other regions, and nothing was refused that would have kept them at home.
    if (SCHEDULES >= 8) expect(primaries.size).to.be.greaterThan(1);
  });
});
