import { expect } from 'chai';
import { disableKeyRotation } from '../../src/kms/operations/disable_key_rotation.js';
import { enableKeyRotation } from '../../src/kms/operations/enable_key_rotation.js';
import { rotateKeyOnDemand } from '../../src/kms/operations/rotate_key_on_demand.js';
import { KmsError } from '../../src/kms/errors.js';
import { Chance } from '../support/chance.js';
import { REPLICAS, RotationWorld } from '../support/rotation_world.js';
import { endedAt, watchBoundaries } from '../support/write_boundaries.js';

const SCHEDULES = Number(process.env['KEYFERRY_SCHEDULES'] ?? 300);
const FIRST_SEED = Number(process.env['KEYFERRY_SEED'] ?? 1);
const DAY_MS = 86_400_000;
const EVENTS_MAX = 50;

describe('rotation of a multi-Region key in a world that fails', function () {
  this.timeout(60_000 + SCHEDULES * 500);
  let world: RotationWorld;
  const counts = { rotations: 0, crashes: 0, waited: 0, deleted: 0 };

  before(() => {
    watchBoundaries();
    world = new RotationWorld();
  });
  after(() => world.close());

  const versions = () => world.primary.software.region.materials.versions(world.keyId);

  /** A refusal is an answer like any other here. */
  async function ask(work: Promise<unknown>): Promise<void> {
    await work.catch((error: unknown) => {
      if (!(error instanceof KmsError)) throw error;
    });
  }

  async function deleteReplica(name: string): Promise<void> {
    const { software } = world.region(name);
    const record = world.record(name);
    if (record === undefined || record.state === 'Creating') return;
    const deletion = { windowDays: 7, dateMs: software.clock.ms };
    software.region.store.setState(world.keyId, 'PendingDeletion', deletion);
    await software.deadlines.runDue();
    if (world.record(name) === undefined) counts.deleted += 1;
  }

  async function event(chance: Chance, up: Map<string, boolean>, log: string[]): Promise<void> {
    const { call } = world.primary.software;
    const name = chance.pick(REPLICAS) ?? '';
    const isUp = (region: string) => up.get(region) !== false;
    const KeyId = world.keyId;
    const choices: readonly (readonly [number, string, () => unknown])[] = [
      [14, 'rotate', () => ask(rotateKeyOnDemand(call, { KeyId }))],
      [6, 'enable', () => ask(enableKeyRotation(call, { KeyId, RotationPeriodInDays: 90 + chance.below(3) }))],
      [3, 'disable', () => ask(disableKeyRotation(call, { KeyId }))],
      [8, 'time', () => world.pass(chance.below(60) * DAY_MS)],
      [18, 'deadlines', () => world.pass(0)],
      [6, `add ${name}`, () => ask(world.replicate(name))],
      [3, `delete ${name}`, () => isUp(name) && deleteReplica(name)],
      [8, `up or down ${name}`, () => up.set(name, !isUp(name))],
      [30, `carry ${name}`, () => isUp(name) && world.carry(name)],
      [18, `start ${name}`, () => world.start(name)],
      [18, `deliver ${name}`, () => isUp(name) && world.deliver(name)],
      [18, `answer ${name}`, () => world.answer(name)],
      [4, `abort ${name}`, () => isUp(name) && world.abort(name)],
    ];
    let at = chance.below(choices.reduce((sum, [weight]) => sum + weight, 0));
    const [, title, run] = choices.find(([weight]) => (at -= weight) < 0) ?? [0, '', () => undefined];
    const boundary = chance.below(5) === 0 ? 1 + chance.below(12) : Number.POSITIVE_INFINITY;
    const crashed = await endedAt(boundary, run);
    if (crashed) counts.crashes += 1;
    log.push(crashed ? `${title}, killed at ${boundary}` : title);
  }

  it('never lets anybody encrypt with what some replica lacks, and comes to its end, in every schedule', async () => {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SCHEDULES; seed += 1) {
      const chance = new Chance(seed);
      const log: string[] = [];
      try {
        await world.begin();
        const up = new Map<string, boolean>();
        if (chance.below(4) > 0) await world.replicate(REPLICAS[0]);
        const eventCount = 10 + chance.below(EVENTS_MAX);
        for (let number = 0; number < eventCount; number += 1) {
          await event(chance, up, log);
          if (world.check()) counts.waited += 1;
        }
        await world.heal();
        counts.rotations += versions().length - 1;
      } catch (error) {
        expect.fail(
          `seed ${seed}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n  ${log.join('\n  ')}\n(repeat with KEYFERRY_SEED=${seed} KEYFERRY_SCHEDULES=1)`,
        );
      }
    }
    // Schedules in which nothing rotates, waits or fails would prove nothing.
    if (SCHEDULES >= 300) {
      expect(counts.rotations).to.be.greaterThan(SCHEDULES);
      expect(counts.waited).to.be.greaterThan(SCHEDULES);
      expect(counts.crashes).to.be.greaterThan(SCHEDULES);
      expect(counts.deleted).to.be.greaterThan(SCHEDULES / 10);
    }
  });

  const steps: readonly (readonly [string, () => unknown])[] = [
    ['the request', () => rotateKeyOnDemand(world.primary.software.call, { KeyId: world.keyId })],
    ['the announcement', () => REPLICAS.map((name) => world.start(name))],
    ['the replica’s install', () => REPLICAS.map((name) => world.deliver(name))],
    ['the confirmation', () => REPLICAS.map((name) => world.answer(name))],
    ['the change of the current material', () => world.pass(0)],
    ['the second announcement', () => REPLICAS.map((name) => world.start(name))],
    ['the replica’s change', () => REPLICAS.map((name) => world.deliver(name))],
    ['the second confirmation', () => REPLICAS.map((name) => world.answer(name))],
  ];
  for (const [at, [title]] of steps.entries()) {
    it(`survives the end of a process at every write of ${title}`, async () => {
      let ended = 0;
      for (let boundary = 1; ; boundary += 1) {
        await world.begin();
        for (const name of REPLICAS) await world.replicate(name);
        await world.heal();
        const before = versions().length;
        for (const [, run] of steps.slice(0, at)) await run();
        const crashed = await endedAt(boundary, () => steps[at]?.[1]());
        world.check();
        if (crashed) ended += 1;
        // Whoever asked, and was not answered, asks again where nothing came of it.
        if (versions().length === before) await rotateKeyOnDemand(world.primary.software.call, { KeyId: world.keyId });
        await world.heal();
        expect(versions()).to.have.lengthOf(before + 1);
        expect(versions().at(-1)?.state).to.equal('CURRENT');
        if (!crashed) break;
      }
      expect(ended).to.be.at.least(3);
    });
  }
});
