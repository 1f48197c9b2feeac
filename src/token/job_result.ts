import type { AttributeValue, Job, JobResult, Output } from './job.js';
import type { ObjectHandle } from './object.js';
import { TokenError, type TokenErrorCode } from './errors.js';
import { mechanismName } from './names.js';
import { CKR, errorCodeFor } from './return_value.js';

/** Words of a result's header, as `native/src/result_writer.h` has them. */
const HEADER_WORDS = 12;
/** What a result's status word says. */
const STATUS = {
  ok: 0,
  callFailed: 1,
  sessionLost: 2,
  reference: 3,
  notDestroyed: 4,
  stale: 5,
  refused: 6,
  abandoned: 7,
  noMemory: 8,
} as const;
const OUTPUT = { bytes: 1, object: 2, handles: 3, attributes: 4, rv: 5 } as const;
const ATTRIBUTE_STATES = ['value', 'unavailable', 'sensitive', 'readable-secret'] as const;
const NONE = 0xffffffff;

/** Results of several jobs, one behind another, as native threads left them. */
export class ResultBatch {
  readonly octets: Uint8Array;
  readonly words: Uint32Array;

  constructor(memory: ArrayBuffer) {
    this.octets = new Uint8Array(memory);
    this.words = new Uint32Array(memory);
  }
}

/** One job's place in a batch: its header, read without decoding its outputs. */
export class FlatResult implements JobResult {
  readonly #batch: ResultBatch;
  readonly #at: number;
  readonly #epoch: number;

  /** @param at - word at which the result starts */
  constructor(batch: ResultBatch, at: number, epoch: number) {
    this.#batch = batch;
    this.#at = at;
    this.#epoch = epoch;
  }

  bytes(output: Output<'bytes'>): Uint8Array {
    const at = this.#find(output.index, OUTPUT.bytes);
    const start = (at + 3) * 4;
    return this.#batch.octets.slice(start, start + this.#word(at + 2));
  }

  object(output: Output<'object'>): ObjectHandle {
    return this.#handle(this.#find(output.index, OUTPUT.object) + 3);
  }

  handles(output: Output<'handles'>): readonly ObjectHandle[] {
    const at = this.#find(output.index, OUTPUT.handles);
    return Array.from({ length: this.#word(at + 2) / 8 }, (_, i) => this.#handle(at + 3 + i * 2));
  }

  attributes(output: Output<'attributes'>): ReadonlyMap<number, AttributeValue> {
    let at = this.#find(output.index, OUTPUT.attributes) + 3;
    const count = this.#word(at);
    at += 1;
    const attributes = new Map<number, AttributeValue>();
    for (let i = 0; i < count; i += 1) {
      const type = this.#word(at);
      const state = ATTRIBUTE_STATES[this.#word(at + 1)] ?? 'unavailable';
      const length = this.#word(at + 2);
      const start = (at + 3) * 4;
      attributes.set(type, { type, state, octets: this.#batch.octets.slice(start, start + length) });
      at += 3 + ((length + 3) >>> 2);
    }
    return attributes;
  }

  rv(output: Output<'rv'>): number {
    const at = this.#find(output.index, OUTPUT.rv);
    return this.#word(at + 3) + this.#word(at + 4) * 0x1_0000_0000;
  }

  #word(at: number): number {
    return this.#batch.words[at] as number;
  }

  #handle(at: number): ObjectHandle {
    const value = (BigInt(this.#word(at + 1)) << 32n) | BigInt(this.#word(at));
    return { kind: 'object-handle', epoch: this.#epoch, value };
  }

  /** The word at which an output starts. */
  #find(index: number, kind: number): number {
    let at = this.#at + HEADER_WORDS;
    for (let left = this.#word(this.#at + 3); left > 0; left -= 1) {
      if (this.#word(at) === index && this.#word(at + 1) === kind) return at;
      at += 3 + ((this.#word(at + 2) + 3) >>> 2);
    }
    throw new TokenError('ERR_TOKEN_REFERENCE', {
      call: 'none',
      rv: CKR.CKR_OK,
      details: { output: index, reason: 'the step that makes this output failed, or belongs to another job' },
    });
  }
}

/** The header of a result, for {@link failureOf} and for counting. */
export interface ResultHeader {
  readonly id: number;
  readonly words: number;
  readonly status: number;
  readonly tokenNs: number;
  readonly calls: number;
}

/** Reads the header that starts at word `at`. */
export function readHeader({ words }: ResultBatch, at: number): ResultHeader {
  return {
    id: words[at] as number,
    words: (words[at + 1] as number) / 4,
    status: words[at + 2] as number,
    tokenNs: (words[at + 4] as number) + (words[at + 5] as number) * 0x1_0000_0000,
    calls: words[at + 6] as number,
  };
}

/** Why a job failed; null where it did not. */
export function failureOf({ words }: ResultBatch, at: number, job: Job, callNames: readonly string[]): Error | null {
  const status = words[at + 2] as number;
  if (status === STATUS.ok) return null;
  if (status === STATUS.refused) {
    return new Error(`the program of job ${job.name} (${job.strategy}) is malformed`);
  }
  const rv = words[at + 8] as number;
  const mechanism = words[at + 9] as number;
  const cleanup = words[at + 11] as number;
  return new TokenError(codeOf(status, rv), {
    call: callNames[words[at + 7] as number] ?? 'none',
    rv: status === STATUS.noMemory ? CKR.CKR_HOST_MEMORY : rv,
    ...(mechanism === NONE ? {} : { mechanism: mechanismName(mechanism) }),
    job: job.name,
    strategy: job.strategy,
    retryable: status === STATUS.sessionLost || status === STATUS.stale || status === STATUS.abandoned,
    details: { step: words[at + 10] as number, ...(cleanup === 0 ? {} : { cleanup }) },
  });
}

function codeOf(status: number, rv: number): TokenErrorCode {
  switch (status) {
    case STATUS.sessionLost: {
      const code = errorCodeFor(rv);
      return code === 'ERR_TOKEN_MODULE_LOST' || code === 'ERR_TOKEN_NOT_PRESENT' ? code : 'ERR_TOKEN_SESSION_LOST';
    }
    case STATUS.reference:
      return 'ERR_TOKEN_REFERENCE';
    case STATUS.notDestroyed:
      return 'ERR_TOKEN_NOT_DESTROYED';
    case STATUS.stale:
      return 'ERR_TOKEN_STALE_HANDLE';
    case STATUS.abandoned:
      return 'ERR_TOKEN_MODULE_LOST';
    default:
      return rv === CKR.CKR_SESSION_COUNT ? 'ERR_TOKEN_SESSION_COUNT' : 'ERR_TOKEN_CALL';
  }
}
