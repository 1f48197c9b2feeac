import { utf8 } from '../../../bytes.js';
import { CKA_ID, CKA_LABEL, CKA_TOKEN, CKM_AES_KEY_GEN } from '../../../token/cryptoki.js';
import { Executor } from '../../../token/executor.js';
import { Job } from '../../../token/job.js';
import { plain } from '../../../token/probe/probe_context.js';
import { template } from '../../../token/template.js';
import type { Check } from '../../check.js';
import type { CheckContext } from '../../check_context.js';
import { secretTemplate } from '../../key_template.js';
import { numberOf, type DriverRun } from '../../module_driver.js';
import { VALIDATION_LABEL } from '../../object_watch.js';
import { drive, expectByName, oneOf } from '../robustness/driven.js';
import { levelMs, measure, sessionLevels } from './measurement.js';

const common = { group: 'PRF', severity: 'information', timeLimitMs: 60_000 } as const;
const OBJECTS = [10, 1_000, 10_000] as const;
const OBJECTS_QUICK = [10, 1_000] as const;
const OBJECTS_PER_JOB = 100;
/** Searches run one at a time; among more objects a crowd of them only waits. */
const OBJECTS_SHARED_MAX = 1_000;

function identifier(at: number): Uint8Array {
  return utf8(`performance ${at}`);
}

async function addObjects(executor: Executor, from: number, to: number): Promise<void> {
  const jobs: Promise<unknown>[] = [];
  for (let at = from; at < to; at += OBJECTS_PER_JOB) {
    const job = new Job('validation', 'performance');
    for (let each = at; each < Math.min(to, at + OBJECTS_PER_JOB); each += 1) {
      const shape = secretTemplate({
        keyType: 'aes',
        usage: ['encrypt'],
        valueBytes: 32,
        more: [[CKA_ID, identifier(each)]],
      });
      job.keep(job.generateKey(plain(CKM_AES_KEY_GEN), shape));
    }
    jobs.push(executor.run(job));
  }
  await Promise.all(jobs);
}

/** Finds one key by its identifier among more and more session objects: a token that is asked for one compares all, or has an index. */
async function measureFinding(context: CheckContext): Promise<void> {
  context.needMechanism(CKM_AES_KEY_GEN);
  const holder = await Executor.open({ module: context.module.native, slotId: context.slot.slotId, threads: 1 });
  try {
    let made = 0;
    for (const objects of context.isQuick ? OBJECTS_QUICK : OBJECTS) {
      await addObjects(holder, made, objects);
      made = objects;
      const name = `find by CKA_ID among ${objects.toLocaleString('en-US')} session objects`;
      const wanted = template(
        [CKA_TOKEN, false],
        [CKA_LABEL, utf8(VALIDATION_LABEL)],
        [CKA_ID, identifier(objects >> 1)],
      );
      let worst = 1;
      await measure(
        context,
        name,
        async (_, executor) => async () => {
          const job = new Job('validation', 'performance');
          const found = job.findObjects(wanted, 4);
          const count = (await executor.run(job)).handles(found).length;
          if (count !== 1) worst = count;
        },
        { share: 0.5, ...(objects > OBJECTS_SHARED_MAX ? { sessionsMax: 1 } : {}) },
      );
      context.expect(worst === 1, {
        what: name,
        call: 'C_FindObjects',
        expected: '1 object',
        seen: `${worst} objects`,
      });
    }
  } finally {
    await holder.close();
  }
}

/** The calls that are measured have to work each time. */
const eachTime = {
  'every session': oneOf('CKR_OK'),
  'every login': oneOf('CKR_OK'),
  'every logout': oneOf('CKR_OK'),
};

/** Takes over what the program measured. Latencies below a microsecond are told as one. */
function takeOver(context: CheckContext, run: DriverRun, operation: string, sessions: number): void {
  expectByName(context, run, eachTime);
  const operations = numberOf(run, 'operations');
  const seconds = numberOf(run, 'seconds');
  if (operations === undefined || seconds === undefined || seconds === 0) return;
  context.measure({
    operation,
    sessions,
    operations,
    p50Us: Math.ceil(numberOf(run, 'p50 us') ?? 0),
    p99Us: Math.ceil(numberOf(run, 'p99 us') ?? 0),
    perSecond: Math.round((operations / seconds) * 10) / 10,
  });
}

/** How fast sessions, logins and searches are: what a region does when it starts or heals. */
export const sessionPerformance: readonly Check[] = [
  {
    ...common,
    id: 'PRF-07',
    title: 'Find by CKA_ID among 10, 1,000 and 10,000 objects',
    flows: ['operations'],
    source: 'measured as a region would see it, through the queue of jobs; token objects may be slower',
    remedy: 'hold handles, as Keyferry does',
    run: measureFinding,
  },
  {
    ...common,
    id: 'PRF-08',
    title: 'Open and close a session',
    flows: ['operations'],
    source: 'measured in native threads, without a queue',
    remedy: 'hold sessions, as Keyferry does',
    run: async (context) => {
      const operation = 'C_OpenSession and C_CloseSession';
      for (const threads of sessionLevels(context, operation)) {
        const run = await drive(context, 'session-times', { threads, ms: levelMs(context, 0.5) });
        takeOver(context, run, operation, threads);
      }
    },
  },
  {
    ...common,
    id: 'PRF-09',
    title: 'Log in',
    flows: ['operations'],
    source: 'measured natively; a login is the whole process, so that there is one at a time',
    remedy: 'log in once a process, as Keyferry does',
    run: async (context) => {
      takeOver(context, await drive(context, 'login-times', { ms: levelMs(context) }), 'C_Login', 1);
    },
  },
];
