import type { Journal } from '../../src/replication/journal.js';
import type { ReplicatedKeys, Transport } from '../../src/replication/ports.js';
import type { ReplicationHsm } from '../../src/replication/replication_hsm.js';

/** What a crash throws into the code that runs at that moment; the process it stands for is gone, so nobody may rely on it. */
export class Crash extends Error {}

/** The life of one process of a region: it ends at a boundary that is chosen before. */
export class Life {
  #boundariesLeft = Number.POSITIVE_INFINITY;
  #end!: () => void;
  /** Resolves when the process has ended. */
  readonly ended: Promise<void>;
  isOver = false;
  /** Name of the boundary at which it ended. */
  lastBoundary = '';

  constructor() {
    this.ended = new Promise((resolve) => (this.#end = resolve));
  }

  /** Lets the process end at the n-th boundary from now. */
  endAfter(boundaries: number): void {
    this.#boundariesLeft = boundaries;
  }

  kill(boundary: string): void {
    if (this.isOver) return;
    this.isOver = true;
    this.lastBoundary = boundary;
    this.#end();
  }

  /** A point at which the process may end. */
  pass(boundary: string): void {
    if (this.isOver) throw new Crash(this.lastBoundary);
    this.#boundariesLeft -= 1;
    if (this.#boundariesLeft >= 0) return;
    this.kill(boundary);
    throw new Crash(boundary);
  }

  /** Runs an asynchronous call between two boundaries; after the end it never answers, as in a process that is gone. */
  async guard<Result>(name: string, run: () => Promise<Result>): Promise<Result> {
    try {
      this.pass(`before ${name}`);
      const result = await run();
      this.pass(`after ${name}`);
      return result;
    } catch (error) {
      if (error instanceof Crash) return new Promise<Result>(() => undefined);
      throw error;
    }
  }
}

type AnyFunction = (...args: readonly unknown[]) => unknown;

function wrapMethods<Target extends object>(
  target: Target,
  wrap: (name: string, method: AnyFunction) => AnyFunction,
): Target {
  return new Proxy(target, {
    get(object, name) {
      const value: unknown = Reflect.get(object, name, object);
      if (typeof value !== 'function' || typeof name !== 'string') return value;
      return wrap(name, value.bind(object) as AnyFunction);
    },
  });
}

/** A journal whose process can end before and after each transaction; what was committed stays. */
export function mortalJournal(life: Life, journal: Journal): Journal {
  let depth = 0;
  return wrapMethods(journal, (name, method) => (...args) => {
    if (name !== 'transaction' || depth > 0) {
      if (life.isOver) throw new Crash(life.lastBoundary);
      return method(...args);
    }
    life.pass('before a transaction');
    depth += 1;
    let result: unknown;
    try {
      result = method(...args);
    } finally {
      depth -= 1;
    }
    life.pass('after a transaction');
    return result;
  });
}

/** Keys that a process that is gone cannot reach. */
export function mortalKeys(life: Life, keys: ReplicatedKeys): ReplicatedKeys {
  return wrapMethods(keys, (_name, method) => (...args) => {
    if (life.isOver) throw new Crash(life.lastBoundary);
    return method(...args);
  });
}

/** An HSM whose process can end before and after each call. */
export function mortalHsm(life: Life, hsm: ReplicationHsm): ReplicationHsm {
  return wrapMethods(
    hsm,
    (name, method) =>
      (...args) =>
        life.guard(name, () => Promise.resolve(method(...args))),
  );
}

/** A network connection whose process can end before and after each message. */
export function mortalTransport(life: Life, transport: Transport): Transport {
  return {
    send: (destination, octets) => life.guard('send', () => transport.send(destination, octets)),
    listen: (receive) => transport.listen(receive),
    close: () => transport.close(),
  };
}
