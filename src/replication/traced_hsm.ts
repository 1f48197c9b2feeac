import type { Clock } from '../clock.js';
import { KeyferryError } from '../errors.js';
import type { ReplicationHsm } from './replication_hsm.js';
import type { TokenStep, Trace } from './trace.js';

/**
 * The HSM as one session uses it: each step is timed and shown to the observers.
 *
 * @param onSelfTest - called when a token has answered wrongly
 */
export function traceHsm(
  hsm: ReplicationHsm,
  args: {
    readonly trace: Trace;
    readonly clock: Clock;
    readonly sid: string | null;
    readonly onSelfTest: (detail: string) => void;
  },
): ReplicationHsm {
  const { trace, clock, sid } = args;
  const step = async <Result>(
    name: TokenStep,
    suite: Parameters<NonNullable<ReplicationHsm['explain']>>[1],
    run: () => Promise<Result>,
  ) => {
    const startMs = clock.monotonicMs();
    let outcome = 'ok';
    try {
      return await run();
    } catch (error) {
      outcome = error instanceof KeyferryError ? error.code : 'error';
      if (outcome === 'ERR_HSM_SELF_TEST') args.onSelfTest((error as KeyferryError).message);
      throw error;
    } finally {
      if (trace.isWatched) {
        const explained = name === 'random' || name === 'release' ? undefined : hsm.explain?.(name, suite);
        trace.emit({
          kind: 'token',
          atMs: clock.nowMs(),
          step: name,
          sid,
          strategy: explained?.strategy ?? suite ?? null,
          mechanism: explained?.mechanism ?? null,
          microseconds: Math.round((clock.monotonicMs() - startMs) * 1000),
          outcome,
        });
      }
    }
  };
  return {
    suites: hsm.suites,
    dataSuites: hsm.dataSuites,
    fingerprint: hsm.fingerprint,
    random: (octets) => step('random', undefined, () => hsm.random(octets)),
    sign: (kid, octets) => step('sign', undefined, () => hsm.sign(kid, octets)),
    generateAgreementKey: (label) => step('generateAgreementKey', undefined, () => hsm.generateAgreementKey(label)),
    agree: (request) => step('agree', request.suite, () => hsm.agree(request)),
    wrap: (keys, material) => step('wrap', keys.suite, () => hsm.wrap(keys, material)),
    confirm: (keys, octets) => step('confirm', keys.suite, () => hsm.confirm(keys, octets)),
    unwrap: (keys, wrapped, binding) => step('unwrap', keys.suite, () => hsm.unwrap(keys, wrapped, binding)),
    release: (...objects) => step('release', undefined, () => hsm.release(...objects)),
    ephemeralCount: () => hsm.ephemeralCount(),
  };
}
