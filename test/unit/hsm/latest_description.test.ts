import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'chai';
import { LatestDescription } from '../../../src/hsm/latest_description.js';
import type { RegionHsmDescription } from '../../../src/hsm/region_hsm.js';
import { LIMITS } from '../../../src/limits.js';

const described = (loadedKeys: number): RegionHsmDescription =>
  ({ state: 'working', loadedKeys }) as RegionHsmDescription;

describe('the description of an HSM', () => {
  let answers: ((described: RegionHsmDescription) => void)[];
  let failures: ((error: Error) => void)[];
  let nowMs: number;
  let latest: LatestDescription;
  beforeEach(() => {
    [answers, failures, nowMs] = [[], [], 0];
    latest = new LatestDescription(
      () =>
        new Promise((resolve, reject) => {
          answers.push(resolve);
          failures.push(reject);
        }),
      { monotonicMs: () => nowMs },
    );
  });

  const knowing = async (loadedKeys: number): Promise<void> => {
    const first = latest.get();
    answers.shift()?.(described(loadedKeys));
    expect(await first).to.deep.include({ loadedKeys, busyMs: 0 });
  };

  it('is of now where the token answers', async () => {
    await knowing(1);
    await knowing(2);
  });

  it('is what was last known where the token is silent, with how long it has been, and asks it but once', async () => {
    await knowing(1);
    nowMs = 10_000;
    const waiting = [latest.get(), latest.get()];
    nowMs += LIMITS.hsmDescriptionWaitMs;
    for (const each of await Promise.all(waiting)) {
      expect(each).to.deep.include({ loadedKeys: 1, busyMs: LIMITS.hsmDescriptionWaitMs });
    }
    expect(answers).to.have.length(1);
    answers.shift()?.(described(3));
    await nextTurn();
    await knowing(4);
  });

  it('fails as the HSM does, and asks again afterwards', async () => {
    await knowing(1);
    const failing = latest.get();
    failures.at(-1)?.(new Error('the token is gone'));
    const error = await failing.then(
      () => undefined,
      (caught: unknown) => caught,
    );
    expect(error).to.be.instanceOf(Error).with.property('message', 'the token is gone');
    answers.length = 0;
    await knowing(5);
  });
});
