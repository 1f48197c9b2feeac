import { expect } from 'chai';
import { SessionStrategies } from '../../../src/replication/session_strategy.js';
import type { TokenStep, TraceEvent } from '../../../src/replication/trace.js';

function token(step: TokenStep, sid: string | null, outcome = 'ok'): TraceEvent {
  const strategy = step === 'agree' ? 'HKDF384-A256KWP' : null;
  return { kind: 'token', atMs: 0, step, sid, strategy, mechanism: null, microseconds: 1, outcome };
}

describe('the strategy in an audit line', () => {
  const make = (): SessionStrategies => new SessionStrategies((step) => ({ mechanism: `CKM_${step.toUpperCase()}` }));

  it('names the suite and the mechanisms that carried the material of that session, each once', () => {
    const strategies = make();
    for (const step of ['random', 'agree', 'wrap', 'wrap', 'confirm', 'release'] as const)
      strategies.observe(token(step, 'one'));
    strategies.observe(token('unwrap', 'other'));
    expect(strategies.strategyOf('REPL_SENT', 'one')).to.equal('HKDF384-A256KWP: CKM_AGREE; wrap: CKM_WRAP');
    expect(strategies.strategyOf('REPL_INSTALLED', 'other')).to.equal('unwrap: CKM_UNWRAP');
  });

  it('is absent where nothing ran: another code, no session, a session of an earlier process, a step that failed', () => {
    const strategies = make();
    strategies.observe(token('agree', 'one'));
    strategies.observe(token('agree', 'failed', 'ERR_HSM_MECHANISM'));
    strategies.observe(token('agree', null));
    expect(strategies.strategyOf('REPL_INTENT', 'one')).to.equal(null);
    for (const sid of [null, 'unknown', 'failed']) expect(strategies.strategyOf('REPL_SENT', sid)).to.equal(null);
  });

  it('forgets the oldest sessions and keeps the newest', () => {
    const strategies = make();
    for (let number = 0; number < 1_100; number += 1) strategies.observe(token('wrap', `s${number}`));
    expect(strategies.strategyOf('REPL_SENT', 's0')).to.equal(null);
    expect(strategies.strategyOf('REPL_SENT', 's1099')).to.equal('wrap: CKM_WRAP');
  });
});
