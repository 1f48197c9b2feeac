import { expect } from 'chai';
import { ConsoleSessions } from '../../../src/console/sessions.js';
import { LIMITS } from '../../../src/limits.js';

const ALICE = 'arn:aws:iam::111122223333:user/alice';

describe('the sessions of the console', () => {
  let nowMs = 0;
  let sessions: ConsoleSessions;
  beforeEach(() => {
    nowMs = 1_000;
    sessions = new ConsoleSessions(() => nowMs);
  });

  it('exchange a login link for a session of its principal, once', () => {
    const login = sessions.issueLogin(ALICE);
    const secret = sessions.redeem(login) ?? '';
    expect(sessions.find(secret)?.principal).to.equal(ALICE);
    expect(sessions.redeem(login)).to.equal(undefined);
    expect(sessions.find(login)).to.equal(undefined);
  });

  it('refuse a login link that is too old', () => {
    const login = sessions.issueLogin(ALICE);
    nowMs += LIMITS.consoleLoginMs + 1;
    expect(sessions.redeem(login)).to.equal(undefined);
  });

  it('end after their time, and tell whoever waits for that', () => {
    const secret = sessions.redeem(sessions.issueLogin(ALICE)) ?? '';
    const ended = sessions.find(secret)?.ended;
    nowMs += LIMITS.consoleSessionMs + 1;
    expect(sessions.find(secret)).to.equal(undefined);
    expect(ended?.aborted).to.equal(true);
  });

  it('end when one logs out, and only that one', () => {
    const [one = '', other = ''] = [1, 2].map(() => sessions.redeem(sessions.issueLogin(ALICE)));
    sessions.end(one);
    expect(sessions.find(one)).to.equal(undefined);
    expect(sessions.find(other)?.principal).to.equal(ALICE);
  });

  it('are bounded: the oldest make room', () => {
    const first = sessions.issueLogin(ALICE);
    for (let count = 0; count < LIMITS.consoleLoginsMax; count += 1) sessions.issueLogin(ALICE);
    expect(sessions.redeem(first)).to.equal(undefined);
    const secrets = Array.from(
      { length: LIMITS.consoleSessionsMax + 1 },
      () => sessions.redeem(sessions.issueLogin(ALICE)) ?? '',
    );
    expect(sessions.find(secrets[0] ?? '')).to.equal(undefined);
    expect(sessions.find(secrets.at(-1) ?? '')?.principal).to.equal(ALICE);
  });
});
