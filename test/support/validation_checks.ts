import { CKM_AES_KEY_GEN } from '../../src/token/cryptoki.js';
import { plain } from '../../src/token/probe/probe_context.js';
import type { Check } from '../../src/validation/check.js';
import { secretTemplate } from '../../src/validation/key_template.js';

const common = {
  group: 'ROB',
  severity: 'strategy',
  flows: ['operations'],
  source: 'a test',
  remedy: 'none',
  timeLimitMs: 20_000,
} as const;

/** Checks that do to their process what a bad module does. */
export const checks: readonly Check[] = [
  {
    ...common,
    id: 'T-PASS',
    title: 'passes',
    run: async (context) => {
      context.record('seeded octets', Buffer.from(context.random.octets(8)).toString('hex'));
    },
  },
  {
    ...common,
    id: 'T-CRASH',
    title: 'crashes after an observation',
    run: async (context) => {
      context.record('before the crash', 'seen');
      await new Promise((resolve) => setTimeout(resolve, 50));
      process.kill(process.pid, 'SIGSEGV');
      await new Promise((resolve) => setTimeout(resolve, 5_000));
    },
  },
  {
    ...common,
    id: 'T-HANG',
    title: 'hangs',
    timeLimitMs: 400,
    run: async (context) => {
      context.record('before the hang', 'seen');
      await new Promise((resolve) => setTimeout(resolve, 50));
      for (;;);
    },
  },
  {
    ...common,
    id: 'T-LEAK',
    title: 'leaves a token object and a session object behind',
    run: async (context) => {
      await context.run('leak', (job) => {
        for (const token of [true, false]) {
          const shape = secretTemplate({ keyType: 'aes', usage: ['encrypt'], valueBytes: 32, token });
          job.keep(job.generateKey(plain(CKM_AES_KEY_GEN), shape));
        }
      });
    },
  },
  {
    ...common,
    id: 'T-REFUSED',
    title: 'meets a return value that it does not expect',
    run: async (context) => {
      await context.run('refused', (job) => {
        job.generateKey(plain(0x7fff_fff0), secretTemplate({ keyType: 'aes', usage: [], valueBytes: 32 }));
      });
    },
  },
  {
    ...common,
    id: 'T-SKIP',
    title: 'does not apply',
    run: async (context) => context.needMechanism(0x7fff_fff0),
  },
  {
    ...common,
    id: 'T-LONG',
    title: 'takes long, with a token object',
    run: async (context) => {
      await context.run('long', (job) => {
        const shape = secretTemplate({ keyType: 'aes', usage: ['encrypt'], valueBytes: 32, token: true });
        job.keep(job.generateKey(plain(CKM_AES_KEY_GEN), shape));
      });
      context.record('the object', 'made');
      await new Promise((resolve) => setTimeout(resolve, 10_000));
    },
  },
];
