import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { threadCpu } from './thread_cpu.js';
import type { Database } from '../src/adapters/database.js';

/** Time that was spent on one thing, and how often. */
export interface Entry {
  readonly milliseconds: number;
  readonly count: number;
}

/** What the event loop's own time went to. */
export interface LedgerTotals {
  /** Signatures verified in software: of messages, of certificates, and of each signature that the token has just made. */
  readonly verification: Entry;
  /** Of those, the ones that the event loop did itself; the others were done on the thread pool. */
  readonly inlineVerifications: number;
  /** Outermost transactions, durable when they end, and reads outside of them. */
  readonly database: Entry;
}

class Account {
  milliseconds = 0;
  count = 0;

  measure<Result>(work: () => Result): Result {
    const startMs = performance.now();
    try {
      return work();
    } finally {
      this.milliseconds += performance.now() - startMs;
      this.count += 1;
    }
  }

  add(milliseconds: number): void {
    this.milliseconds += milliseconds;
    this.count += 1;
  }

  entry(): Entry {
    return { milliseconds: this.milliseconds, count: this.count };
  }
}

type VerifyCallback = (error: Error | null, isGood: boolean) => void;

/** Counts the time of what the program under measurement does besides token calls, without any change to it. */
export class TimeLedger {
  readonly #verification = new Account();
  readonly #database = new Account();
  readonly #verify = crypto.verify;
  #inlineVerifications = 0;

  /** From here on every `verify` of `node:crypto` is counted, until {@link close}. */
  open(): void {
    const original = this.#verify;
    const account = this.#verification;
    const counted = (...args: readonly unknown[]): unknown => {
      const callback = args.at(-1);
      if (typeof callback !== 'function') {
        this.#inlineVerifications += 1;
        return account.measure(() => Reflect.apply(original, crypto, args) as unknown);
      }
      const startMs = performance.now();
      const done: VerifyCallback = (error, isGood) => {
        account.add(performance.now() - startMs);
        (callback as VerifyCallback)(error, isGood);
      };
      return Reflect.apply(original, crypto, [...args.slice(0, -1), done]) as unknown;
    };
    crypto.verify = counted as typeof original;
    syncBuiltinESMExports();
  }

  close(): void {
    crypto.verify = this.#verify;
    syncBuiltinESMExports();
  }

  /** From here on the time of a database is counted. */
  watch(database: Database): void {
    const account = this.#database;
    let depth = 0;
    const outermost = <Result>(work: () => Result): Result => {
      if (depth > 0) return work();
      depth += 1;
      try {
        return account.measure(work);
      } finally {
        depth -= 1;
      }
    };
    const transaction = database.transaction.bind(database);
    database.transaction = (work, durability) => outermost(() => transaction(work, durability));
    const prepare = database.prepare.bind(database);
    database.prepare = (sql) => {
      const statement = prepare(sql);
      return {
        run: (...values) => outermost(() => statement.run(...values)),
        get: (...values) => outermost(() => statement.get(...values)),
        all: (...values) => outermost(() => statement.all(...values)),
      };
    };
  }

  totals(): LedgerTotals {
    return {
      verification: this.#verification.entry(),
      inlineVerifications: this.#inlineVerifications,
      database: this.#database.entry(),
    };
  }
}

/** Processor time of one verification of a P-384 signature, milliseconds. */
export function verificationCpuMs(count = 200): number {
  const { privateKey, publicKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const octets = crypto.randomBytes(2048);
  const signature = crypto.sign('sha384', octets, { key: privateKey, dsaEncoding: 'ieee-p1363' });
  const key = { key: publicKey, dsaEncoding: 'ieee-p1363' } as const;
  const before = threadCpu().main;
  for (let i = 0; i < count; i += 1) crypto.verify('sha384', octets, key, signature);
  return (threadCpu().main - before) / 1000 / count;
}
