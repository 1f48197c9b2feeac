import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { utf8 } from '../../../src/bytes.js';
import { isReject } from '../../../src/wire/refusal.js';
import { issueRoster } from '../../../src/replication/authority.js';
import { requestEnrolment, verifyEnrolment } from '../../../src/replication/enrolment.js';
import { openRosterBook, RosterBook } from '../../../src/replication/roster_book.js';
import { MemoryJournal } from '../../support/memory_journal.js';
import { resign, signerOf, takeApart } from '../../support/forge.js';
import { TestPartition, TestRegion } from '../../support/replication_partition.js';

const REGIONS = ['us-east-1', 'eu-west-1', 'ap-south-1'] as const;

async function open() {
  const partition = await TestPartition.create({ regions: REGIONS });
  await partition.start();
  const [a, b, c] = REGIONS.map((name) => partition.region(name));
  if (a === undefined || b === undefined || c === undefined) throw new Error('no regions');
  return { partition, a, b, c };
}

function codeOf(result: unknown): string {
  return isReject(result) ? result.code : String(result);
}

describe('rosters', () => {
  it('an older roster, another of the same epoch, a gap, a broken chain and a foreign signature are refused', async () => {
    const { partition } = await open();
    const first = partition.roster;
    const second = await partition.issue([{ change: 'set-floor', region: 'us-east-1', suiteFloor: 'X963-A256KWP' }]);
    const third = await partition.issue([{ change: 'set-floor', region: 'eu-west-1', suiteFloor: 'X963-A256KWP' }]);
    const authority = {
      kid: partition.authorityKid,
      sign: (kid: string, octets: Uint8Array) => partition.authority.sign(kid, octets),
    };
    const text = async (octets: Promise<Uint8Array>) => Buffer.from(await octets).toString('latin1');
    const book = openRosterBook({
      journal: new MemoryJournal(),
      partition: partition.name,
      authorityKid: partition.authorityKid,
    });
    expect(book.apply(first?.compact ?? '')).to.equal('applied');
    expect(codeOf(book.apply(third.compact))).to.equal('ROSTER_CHAIN');
    expect(book.apply(second.compact)).to.equal('applied');
    expect(book.apply(second.compact)).to.equal('known');
    expect(
      codeOf(book.apply(await text(resign(first?.compact ?? '', authority, (payload) => (payload['epoch'] = '0'))))),
    ).to.equal('ROSTER_ROLLBACK');
    expect(
      codeOf(
        book.apply(await text(resign(second.compact, authority, (payload) => (payload['prevRosterHash'] = null)))),
      ),
    ).to.equal('ROSTER_FORK');
    expect(
      codeOf(book.apply(await text(resign(third.compact, authority, (payload) => (payload['prevRosterHash'] = null))))),
    ).to.equal('ROSTER_CHAIN');
    const other = new TestRegion('other');
    expect(codeOf(book.apply(await text(resign(third.compact, signerOf(other), () => undefined))))).to.equal(
      'ROSTER_SIG',
    );
    expect(
      codeOf(
        book.apply(
          await text(
            resign(
              third.compact,
              {
                ...signerOf(other),
                kid: partition.authorityKid,
                sign: (_kid, octets) => other.hsm.sign(other.kid, octets),
              },
              () => undefined,
            ),
          ),
        ),
      ),
    ).to.equal('ROSTER_SIG');
    expect(
      codeOf(book.apply(await text(resign(third.compact, authority, (payload) => (payload['part'] = 'aws-cn-lab'))))),
    ).to.equal('PARTITION');
    const { birthCertificate } = await partition
      .region('us-east-1')
      .agent.issueBirth({ keySpec: 'SYMMETRIC_DEFAULT', keyUsage: 'ENCRYPT_DECRYPT', origin: 'AWS_KMS' });
    expect(codeOf(book.apply(birthCertificate))).to.equal('TYP');
    expect(book.current?.epoch).to.equal(2n);
    await partition.stop();
  });

  it('a journal whose rosters were changed does not open', async () => {
    const { partition } = await open();
    const journal = new MemoryJournal();
    const compact = partition.roster?.compact ?? '';
    journal.putRoster(1n, `${compact.slice(0, -2)}${compact.endsWith('AA') ? 'BB' : 'AA'}`);
    expect(
      codeOf(RosterBook.open({ journal, partition: partition.name, authorityKid: partition.authorityKid })),
    ).to.equal('ROSTER_SIG');
    await partition.stop();
  });

  it('a region that is behind is sent the newer rosters and the replication goes on by itself', async () => {
    const { partition, a, b } = await open();
    const keyId = await partition.createKey(a);
    const rosters = [];
    for (const region of REGIONS)
      rosters.push((await partition.issue([{ change: 'set-floor', region, suiteFloor: 'X963-A256KWP' }])).compact);
    expect(b.agent.applyRosters(rosters)).to.deep.equal({ applied: 3, refusal: null });
    partition.replicate(a, keyId, b.name);
    await partition.run();
    expect(a.agent.status().epoch).to.equal('4');
    expect(b.keys.replicas.get(keyId)?.state).to.equal('Enabled');
    await partition.stop();
  });

  it('a region that hears a newer epoch asks for it, and says so in the audit', async () => {
    const { partition, a, b } = await open();
    const keyId = await partition.createKey(a);
    const roster = await partition.issue([{ change: 'set-floor', region: 'ap-south-1', suiteFloor: 'X963-A256KWP' }]);
    a.agent.applyRosters([roster.compact]);
    partition.replicate(a, keyId, b.name);
    await partition.run();
    expect(b.audit.refusals()).to.deep.equal(['EPOCH_AHEAD']);
    expect(b.agent.status().epoch).to.equal('2');
    expect(b.keys.replicas.get(keyId)?.state).to.equal('Enabled');
    await partition.stop();
  });

  it('messages of a revoked, pending or unknown signing key are refused as KID_STATE', async () => {
    const { partition, a, b, c } = await open();
    const pending = c.hsm.makeRsk();
    const keyId = await partition.createKey(a);
    const enrolment = await partition.enrolment(c, pending);
    const next = await partition.issue([{ change: 'add-rsk', enrolment }]);
    for (const region of [a, b, c]) region.agent.applyRosters([next.compact]);
    partition.replicate(a, keyId, b.name);
    await a.agent.settled();
    const intent = partition.network.waiting.shift()?.octets ?? new Uint8Array();
    const asC = (kid: string) =>
      resign(intent, { kid, sign: (name, octets) => c.hsm.sign(name, octets) }, (payload) => {
        payload['iss'] = c.name;
        payload['iat'] = Math.floor(Math.random() * 1e9);
      });
    await partition.network.deliver(b.name, await asC(pending.kid));
    await partition.network.deliver(b.name, await asC(c.hsm.makeRsk().kid));
    expect(b.audit.refusals()).to.deep.equal(['KID_STATE', 'KID_STATE']);
    const revoking = await partition.issue([{ change: 'revoke-rsk', region: c.name, kid: c.kid }]);
    b.agent.applyRosters([revoking.compact]);
    await partition.network.deliver(b.name, await asC(c.kid));
    expect(b.audit.refusals().slice(2)).to.deep.equal(['KID_STATE']);
    expect(b.hsm.calls.get('generateAgreementKey') ?? 0).to.equal(0);
    await partition.stop();
  });

  it('while the revoking roster is withheld the revoked region is still believed, and the next message from anyone else raises the alarm', async () => {
    const { partition, a, b, c } = await open();
    const keyOfC = await partition.createKey(c);
    const keyOfA = await partition.createKey(a);
    const revoking = await partition.issue([{ change: 'revoke-rsk', region: c.name, kid: c.kid }]);
    a.agent.applyRosters([revoking.compact]);
    partition.replicate(c, keyOfC, b.name);
    await partition.run();
    expect(b.keys.replicas.get(keyOfC)?.state).to.equal('Enabled');
    partition.replicate(a, keyOfA, b.name);
    await partition.run();
    expect(b.audit.refusals()).to.include('EPOCH_AHEAD');
    expect(b.agent.status().epoch).to.equal('2');
    await partition.stop();
  });

  it('a signing key is rotated without a gap, and old birth certificates stay good', async () => {
    const { partition, a, b } = await open();
    const keyId = await partition.createKey(a);
    const old = a.kid;
    const next = a.hsm.makeRsk();
    const everywhere = async (changes: Parameters<TestPartition['issue']>[0]) => {
      const roster = await partition.issue(changes);
      for (const region of partition.regions.values()) region.agent.applyRosters([roster.compact]);
    };
    const kids: string[] = [];
    const replicate = async () => {
      const before = partition.network.seen.length;
      partition.replicate(a, keyId, b.name);
      await partition.run();
      kids.push(takeApart(partition.network.seen[before]?.octets ?? '').jws.kid);
      expect(a.journal.openTasks()).to.deep.equal([]);
    };
    await everywhere([{ change: 'add-rsk', enrolment: await partition.enrolment(a, next) }]);
    await replicate();
    await everywhere([{ change: 'activate-rsk', region: a.name, kid: next.kid }]);
    await replicate();
    await everywhere([{ change: 'retire-rsk', region: a.name, kid: old }]);
    await replicate();
    await everywhere([{ change: 'remove-rsk', region: a.name, kid: old }]);
    await replicate();
    expect(kids).to.deep.equal([old, next.kid, next.kid, next.kid]);
    expect(b.keys.replicas.get(keyId)?.generation).to.equal(4n);
    expect(b.audit.refusals()).to.deep.equal([]);
    await partition.stop();
  });

  it('a rotation in the middle of a session is accepted where both keys are active at its epoch', async () => {
    const { partition, a, b } = await open();
    const next = b.hsm.makeRsk();
    const spread = async (changes: Parameters<TestPartition['issue']>[0]) => {
      const roster = await partition.issue(changes);
      for (const region of partition.regions.values()) region.agent.applyRosters([roster.compact]);
    };
    await spread([{ change: 'add-rsk', enrolment: await partition.enrolment(b, next) }]);
    await spread([{ change: 'activate-rsk', region: b.name, kid: next.kid }]);
    const keyId = await partition.createKey(a);
    partition.replicate(a, keyId, b.name);
    await a.agent.settled();
    await partition.network.deliver(b.name, partition.network.waiting.shift()?.octets ?? new Uint8Array());
    const offer = partition.network.waiting.shift()?.octets ?? new Uint8Array();
    const byOld = await resign(offer, signerOf(b), () => undefined);
    await partition.network.deliver(a.name, byOld);
    // The destination itself signed with the new key: a transfer for the other form of its offer is no answer to it.
    expect(a.audit.refusals()).to.deep.equal([]);
    expect(partition.network.waiting).to.have.length(1);
    await partition.stop();
  });

  it('sessions with a region whose key was revoked begin anew', async () => {
    const { partition, a, b } = await open();
    const next = b.hsm.makeRsk();
    const keyId = await partition.createKey(a);
    partition.replicate(a, keyId, b.name);
    await a.agent.settled();
    await partition.network.deliver(b.name, partition.network.waiting.shift()?.octets ?? new Uint8Array());
    await partition.network.deliver(a.name, partition.network.waiting.shift()?.octets ?? new Uint8Array());
    const first = await partition.issue([{ change: 'add-rsk', enrolment: await partition.enrolment(b, next) }]);
    const second = await partition.issue([
      { change: 'activate-rsk', region: b.name, kid: next.kid },
      { change: 'revoke-rsk', region: b.name, kid: b.kid },
    ]);
    for (const region of partition.regions.values()) region.agent.applyRosters([first.compact, second.compact]);
    await partition.run();
    for (let round = 0; round < 4; round += 1) await partition.advance(3_000);
    expect(b.keys.replicas.get(keyId)?.state).to.equal('Enabled');
    expect(a.keys.confirmations.get(`${keyId} ${b.name}`)).to.equal(2n);
    await partition.stop();
  });
});

describe('the partition authority', () => {
  it('refuses changes that lead nowhere', async () => {
    const { partition, a } = await open();
    const attempts: Parameters<TestPartition['issue']>[0][] = [
      [{ change: 'enrol', enrolment: await partition.enrolment(a), suiteFloor: 'CBCDERIVE-A256KWP' }],
      [{ change: 'activate-rsk', region: a.name, kid: a.kid }],
      [{ change: 'remove-rsk', region: a.name, kid: a.kid }],
      [{ change: 'revoke-rsk', region: 'nowhere', kid: a.kid }],
      [{ change: 'retire-rsk', region: a.name, kid: 'x' }],
    ];
    for (const changes of attempts) {
      const before = partition.roster;
      const outcome = await partition.issue(changes).then(
        () => 'issued',
        (error: unknown) => (error as { code?: string }).code,
      );
      expect(outcome).to.equal('ERR_REPL_ROSTER_CHANGE');
      expect(partition.roster).to.equal(before);
    }
    await partition.stop();
  });

  it('enrols only who holds the key and answers its challenge', async () => {
    const partition = new TestPartition();
    const region = new TestRegion('us-east-1');
    const challenge = randomBytes(32);
    const request = (jwk: TestRegion['jwk'], kid: string, answer: Uint8Array, name = partition.name) =>
      requestEnrolment(
        {
          partition: name,
          region: region.name,
          jwk,
          challenge: answer,
          suites: region.hsm.suites,
          dataSuites: ['DIRECT-GCM'],
          fingerprint: 'x',
          missing: [],
        },
        (_kid, octets) => region.hsm.sign(kid, octets),
      );
    const verdict = (compact: string) => {
      const result = verifyEnrolment({ compact, partition: partition.name, challenge });
      return isReject(result) ? result.code : 'enrolled';
    };
    expect(verdict(await request(region.jwk, region.kid, challenge))).to.equal('enrolled');
    expect(verdict(await request(region.jwk, region.kid, randomBytes(32)))).to.equal('PREV');
    expect(verdict(await request(region.jwk, region.hsm.makeRsk().kid, challenge))).to.equal('SIG_INVALID');
    expect(verdict(await request(region.jwk, region.kid, challenge, 'other'))).to.equal('PARTITION');
    expect(verdict(Buffer.from(utf8('x')).toString())).to.equal('ENCODING');
  });

  it('names the mechanisms that a token lacks', async () => {
    const partition = new TestPartition();
    const [a, b] = [new TestRegion('us-east-1', ['OSKDF-A256KWP']), new TestRegion('eu-west-1', ['CBCDERIVE-A256KWP'])];
    const missing = [{ suite: 'OSKDF-A256KWP', mechanisms: ['CKD_SHA384_KDF_SP800'] }];
    const changes = [];
    for (const region of [a, b]) {
      const enrolment = await partition.enrolment(region);
      changes.push({
        change: 'enrol' as const,
        enrolment: { ...enrolment, missing: region === b ? missing : [] },
        suiteFloor: 'CBCDERIVE-A256KWP' as const,
      });
    }
    const roster = await issueRoster({
      previous: null,
      partition: partition.name,
      authority: await authorityJwk(partition),
      changes,
      sign: (kid, octets) => partition.authority.sign(kid, octets),
    });
    const agent = partition.makeAgent(a, {});
    agent.applyRosters([roster.compact]);
    expect(agent.refusal('eu-west-1')).to.match(/share no replication suite.*OSKDF-A256KWP needs CKD_SHA384_KDF_SP800/);
    expect(agent.refusal('us-west-9')).to.match(/not in the roster/);
    expect(agent.refusal('us-east-1')).to.match(/holds the primary/);
    expect(agent.regions()).to.deep.equal(['us-east-1', 'eu-west-1']);
    expect(agent.commonDataSuite()).to.equal('SP800108-GCM');
  });
});

/** The authority's public key, as its first roster carries it. */
async function authorityJwk(partition: TestPartition) {
  const first = await partition.issue([
    { change: 'enrol', enrolment: await partition.enrolment(new TestRegion('first')), suiteFloor: 'CBCDERIVE-A256KWP' },
  ]);
  return first.authority;
}
