import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { utf8 } from '../../../src/bytes.js';
import type { HsmErrorCode } from '../../../src/hsm/errors.js';
import type { RefusalCode } from '../../../src/wire/refusal.js';
import type { HsmFault } from '../../support/software_replication_hsm.js';
import { begin, give, isReplicated, openPair, seen } from '../../support/replication_pair.js';

interface TokenCase {
  readonly title: string;
  readonly side: 'a' | 'b';
  readonly fault: HsmFault;
  readonly code: RefusalCode;
  /** The session is begun again by itself and succeeds. */
  readonly heals?: boolean;
}

const failing = (call: HsmFault['call'], code: HsmErrorCode): HsmFault => ({ call, code });

const tokenCases: readonly TokenCase[] = [
  {
    title: 'a mechanism that vanishes at the source',
    side: 'a',
    fault: failing('agree', 'ERR_HSM_MECHANISM'),
    code: 'MECHANISM',
  },
  {
    title: 'a mechanism that vanishes at the destination',
    side: 'b',
    fault: failing('agree', 'ERR_HSM_MECHANISM'),
    code: 'MECHANISM',
  },
  { title: 'material that does not unwrap', side: 'b', fault: failing('unwrap', 'ERR_HSM_UNWRAP'), code: 'UNWRAP' },
  { title: 'material of another type', side: 'b', fault: failing('unwrap', 'ERR_HSM_TYPE'), code: 'TYPE' },
  {
    title: 'other material than was named',
    side: 'b',
    fault: failing('unwrap', 'ERR_HSM_MATERIAL_ID'),
    code: 'MATERIAL_ID',
  },
  {
    title: 'an object that stays after it was destroyed',
    side: 'a',
    fault: failing('release', 'ERR_HSM_NOT_DESTROYED'),
    code: 'DESTROY_CHECK',
  },
  {
    title: 'an agreement key that is another object',
    side: 'b',
    fault: failing('agree', 'ERR_HSM_AGREEMENT_KEY'),
    code: 'SESSION_LOST',
    heals: true,
  },
  {
    title: 'a lost token session at the destination',
    side: 'b',
    fault: failing('unwrap', 'ERR_HSM_SESSION_LOST'),
    code: 'SESSION_LOST',
    heals: true,
  },
  {
    title: 'a token that is away at the destination',
    side: 'b',
    fault: failing('generateAgreementKey', 'ERR_HSM_UNAVAILABLE'),
    code: 'TOKEN',
    heals: true,
  },
];

describe('failures of a token in the middle of a replication', () => {
  for (const { title, side, fault, code, heals } of tokenCases) {
    it(`${title} ends the session as ${code}${heals === true ? ', and a new one succeeds' : ''}`, async () => {
      const pair = await openPair();
      pair[side].hsm.faults.push(fault);
      const agreed = pair[side].hsm.calls.get('agree') ?? 0;
      await begin(pair);
      await pair.partition.run();
      expect(pair[side].audit.refusals()).to.deep.equal([code]);
      if (heals === true) {
        for (let round = 0; round < 3; round += 1) await pair.partition.advance(5_000);
        expect(isReplicated(pair)).to.equal(true);
      } else {
        expect(pair.a.keys.failures.get(`${pair.keyId} ${pair.b.name}`)).to.match(new RegExp(`^${code}:`));
        expect(pair.b.keys.replicas.has(pair.keyId)).to.equal(false);
        expect((pair[side].hsm.calls.get('agree') ?? 0) - agreed, 'no other strategy is tried').to.be.at.most(1);
      }
      await pair.partition.stop();
    });
  }

  it('a lost token session at the source is made up for with a new agreement key', async () => {
    const pair = await openPair();
    pair.a.hsm.faults.push(failing('wrap', 'ERR_HSM_SESSION_LOST'));
    await begin(pair);
    await pair.partition.run();
    expect(pair.a.hsm.calls.get('generateAgreementKey')).to.equal(2);
    expect(isReplicated(pair)).to.equal(true);
    await pair.partition.stop();
  });

  it('a token that answers wrongly stops the agent: only its status works', async () => {
    const pair = await openPair();
    pair.b.hsm.faults.push(failing('sign', 'ERR_HSM_SELF_TEST'));
    await begin(pair);
    await pair.partition.run();
    expect(pair.b.audit.refusals()).to.include('SELFTEST');
    expect(pair.b.agent.status().state).to.equal('ERROR');
    expect(pair.b.agent.refusal(pair.a.name)).to.match(/has stopped/);
    expect(await give(pair.b, pair.partition, seen(pair, 'mrkr1-intent+jws'))).to.deep.equal([]);
    expect(pair.b.keys.replicas.size).to.equal(0);
    await pair.partition.stop();
  });

  it('a random generator that repeats itself stops the agent', async () => {
    const pair = await openPair();
    const fixed = randomBytes(32);
    for (let count = 0; count < 2; count += 1) pair.b.hsm.faults.push({ call: 'random', change: () => fixed });
    await begin(pair);
    await pair.partition.run();
    await begin({ ...pair, keyId: await pair.partition.createKey(pair.a) });
    await pair.partition.run();
    expect(pair.b.audit.refusals()).to.deep.equal(['SELFTEST']);
    expect(pair.b.agent.status().state).to.equal('ERROR');
    expect(pair.b.hsm.heldObjects).to.equal(0);
    await pair.partition.stop();
  });
});

describe('what an observer of an agent sees', () => {
  it('every message with its verification, every token step with its time, and no octets of keys', async () => {
    const pair = await openPair();
    const events: string[] = [];
    let all = '';
    pair.b.agent.observe((event) => {
      all += JSON.stringify(event);
      if (event.kind === 'sent' || event.kind === 'received')
        events.push(`${event.kind} ${event.label} ${event.verification}`);
      if (event.kind === 'token' && event.step !== 'random' && event.step !== 'sign')
        events.push(`${event.step} ${event.outcome}`);
      if (event.kind === 'session') events.push(event.state);
    });
    await begin(pair);
    await pair.partition.run();
    expect(events).to.deep.equal([
      'generateAgreementKey ok',
      'OFFERED',
      'sent M1 ok',
      'received M0 ok',
      'UNWRAPPING',
      'agree ok',
      'confirm ok',
      'unwrap ok',
      'confirm ok',
      'release ok',
      'INSTALLED',
      'sent M3 ok',
      'received M2 ok',
      'INSTALLED',
      'received M4 ok',
    ]);
    const material = pair.b.keys.replicas.get(pair.keyId)?.materials[0];
    if (material === undefined) throw new Error('no material');
    const octets = Buffer.from(pair.b.hsm.reveal(material));
    for (const encoding of ['hex', 'base64', 'base64url'] as const)
      expect(all).not.to.include(octets.toString(encoding));
    expect(utf8(all).length).to.be.greaterThan(1_000);
    await pair.partition.stop();
  });
});
