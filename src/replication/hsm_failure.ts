import { KeyferryError } from '../errors.js';
import type { RefusalCode } from '../wire/refusal.js';

/** What a failure of the HSM means for the session: `abort` for good, `restart` it, or `stop` the agent. */
export interface HsmFailure {
  readonly code: RefusalCode;
  readonly action: 'abort' | 'restart' | 'stop';
  /** A sentence for the audit; names the function and return value where the HSM said so. */
  readonly detail: string;
}

const FAILURES: Readonly<Record<string, Omit<HsmFailure, 'detail'>>> = {
  ERR_HSM_MECHANISM: { code: 'MECHANISM', action: 'abort' },
  ERR_HSM_UNWRAP: { code: 'UNWRAP', action: 'abort' },
  ERR_HSM_TYPE: { code: 'TYPE', action: 'abort' },
  ERR_HSM_MATERIAL_ID: { code: 'MATERIAL_ID', action: 'abort' },
  ERR_HSM_NOT_DESTROYED: { code: 'DESTROY_CHECK', action: 'abort' },
  ERR_HSM_POLICY_REFUSED: { code: 'TYPE', action: 'abort' },
  ERR_HSM_RECORD: { code: 'MATERIAL_ID', action: 'abort' },
  ERR_HSM_STRATEGY: { code: 'MECHANISM', action: 'abort' },
  ERR_HSM_KEY_NOT_FOUND: { code: 'SESSION_LOST', action: 'restart' },
  ERR_HSM_AGREEMENT_KEY: { code: 'SESSION_LOST', action: 'restart' },
  ERR_HSM_SESSION_LOST: { code: 'SESSION_LOST', action: 'restart' },
  ERR_HSM_UNAVAILABLE: { code: 'TOKEN', action: 'restart' },
  ERR_HSM_SELF_TEST: { code: 'SELFTEST', action: 'stop' },
};

/**
 * What to do about something that an HSM threw. Strategies are never changed because of a failure.
 *
 * @source docs/PROTOCOL.md section 6.5
 */
export function classifyHsmFailure(error: unknown): HsmFailure {
  if (!(error instanceof KeyferryError)) throw error;
  const known = FAILURES[error.code] ?? { code: 'TOKEN' as const, action: 'restart' as const };
  return { ...known, detail: error.message };
}

/** A check of the agent's own on what a token answered has failed; the agent stops, as after a failed self test of the HSM. */
export class HsmCheckError extends KeyferryError<'ERR_HSM_SELF_TEST'> {
  constructor(message: string) {
    super('ERR_HSM_SELF_TEST', message);
  }
}
