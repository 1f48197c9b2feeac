import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { LIMITS } from '../../../limits.js';
import type { Check } from '../../check.js';
import type { CheckContext } from '../../check_context.js';
import { driveModule, drivenTokenOf, factOf } from '../../module_driver.js';

const run = promisify(execFile);
const common = { group: 'COR', timeLimitMs: 60_000 } as const;
/** The program that starts the module anew, and what it may take. */
const program = fileURLToPath(new URL('../../random_process.js', import.meta.url));
const PROGRAM_MS = 20_000;
/** What is compared of the random generator, octets: in blocks of 16 none may come twice. */
const RANDOM_BYTES = 1_048_576;
const RANDOM_BYTES_QUICK = 131_072;
const RANDOM_CALL_BYTES = 32_768;

/** What the module gives first in a process of its own, when it was initialised and when it was initialised once more; null where it gives nothing. */
async function firstOctets(context: CheckContext): Promise<readonly string[] | null> {
  const { path, settings } = context.module;
  const reference = JSON.stringify({ module: path, settings, slotId: context.slot.slotId });
  try {
    const { stdout } = await run(process.execPath, [program, reference], { timeout: PROGRAM_MS });
    return stdout.trim().split('\n');
  } catch {
    return null;
  }
}

async function compareStarts(context: CheckContext): Promise<void> {
  const starts = [await firstOctets(context), await firstOctets(context)];
  const given = starts.flatMap((start) => start ?? []);
  const what = 'the first 64 octets of two processes, each before and after C_Finalize and C_Initialize';
  if (starts.includes(null) || given.length !== 4) {
    return context.record(what, 'cannot be had without a login in a process of its own', { call: 'C_GenerateRandom' });
  }
  const count = new Set(given).size;
  context.expect(count === given.length, {
    what,
    call: 'C_GenerateRandom',
    expected: '4 different',
    seen: `${count} different`,
  });
}

/** Compares what a process and two children give after a fork. Whether a child may use the module at all is the matter of ROB-09. */
async function compareForks(context: CheckContext): Promise<void> {
  const what = 'random octets of a process and of two children that it forks';
  const { reference } = context;
  if (reference === null || reference.userPin.kind === 'prompt') {
    return context.record(what, 'cannot be had without a login in a process of its own', { call: 'C_GenerateRandom' });
  }
  const forked = await driveModule(drivenTokenOf(context), {
    scenario: 'forked',
    timeLimitMs: LIMITS.validationDriverMs,
  });
  const shared = factOf(forked, 'octets that two processes share');
  if (shared === undefined) return context.record(what, forked.how, { call: 'C_GenerateRandom' });
  context.expect(shared === 'none', {
    what,
    call: 'C_GenerateRandom',
    expected: 'different ones',
    seen: shared === 'none' ? 'different ones' : 'the same octets in two processes',
  });
}

/** The random generator. */
export const randomCorrectness: readonly Check[] = [
  {
    ...common,
    id: 'COR-16',
    title:
      'The random generator does not repeat itself, nor what it gave before it was started anew or to the parent of a fork',
    severity: 'security',
    flows: ['replication', 'signing', 'import', 'operations'],
    source:
      'NIST SP 800-90B section 4.4, in spirit: a generator that repeats blocks of 16 octets is broken; one that does not may still be weak. After a fork: PKCS#11 v2.40 Usage Guide section 2.5.2',
    attack:
      'whoever has the random octets of one process knows those of another: keys, IVs and nonces that the two make apart are the same, and two signatures with one nonce give the private key away',
    remedy:
      'do not use a token that repeats itself or what it gave before. Where only the children of a fork repeat it, fork before C_Initialize, never after: Keyferry starts every process anew and forks none',
    run: async (context) => {
      context.need('random');
      const wanted = context.isQuick ? RANDOM_BYTES_QUICK : RANDOM_BYTES;
      const blocks = new Set<string>();
      const frequency = Array.from({ length: 256 }, () => 0);
      for (let got = 0; got < wanted; got += RANDOM_CALL_BYTES) {
        const { result, outputs } = await context.run('random', (job) => job.random(RANDOM_CALL_BYTES));
        const drawn = Buffer.from(result.bytes(outputs));
        for (let at = 0; at < drawn.length; at += 16) blocks.add(drawn.toString('latin1', at, at + 16));
        for (const octet of drawn) frequency[octet] = (frequency[octet] ?? 0) + 1;
      }
      context.expect(blocks.size === wanted / 16, {
        what: `${wanted} octets in blocks of 16`,
        call: 'C_GenerateRandom',
        expected: 'no block twice',
        seen: blocks.size === wanted / 16 ? 'no block twice' : `${wanted / 16 - blocks.size} blocks came before`,
      });
      const mean = wanted / 256;
      const chiSquare = frequency.reduce((sum, count) => sum + (count - mean) ** 2 / mean, 0);
      // 255 degrees of freedom: above 420 once in 10^9 runs of a good generator.
      context.expect(chiSquare < 420, {
        what: 'how often each octet comes, chi-square with 255 degrees of freedom',
        call: 'C_GenerateRandom',
        expected: 'below 420',
        seen: chiSquare < 420 ? 'below 420' : chiSquare.toFixed(0),
      });
      await compareStarts(context);
      await compareForks(context);
    },
  },
];
