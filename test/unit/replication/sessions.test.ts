import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { toBase64Url } from '../../../src/bytes.js';
import { metadataHash } from '../../../src/wire/fixed_info.js';
import { encodeContext } from '../../../src/replication/context_codec.js';
import { REPLICATION_LIMITS } from '../../../src/replication/limits.js';
import { issueHandover } from '../../../src/replication/key_certificate.js';
import { at, resign, signerOf, takeApart } from '../../support/forge.js';
import { begin, give, isReplicated, openPair, pass, seen } from '../../support/replication_pair.js';

describe('sessions and repetitions', () => {
  it('a transfer that is repeated after the installation brings the same confirmation and no token call', async () => {
    const pair = await openPair();
    await begin(pair);
    await pair.partition.run();
    const confirmations = pair.partition.network.seen.filter(
      (message) => takeApart(message.octets).jws.typ === 'mrkr1-confirm+jws',
    );
    const unwraps = pair.b.hsm.calls.get('unwrap');
    expect(await give(pair.b, pair.partition, seen(pair, 'mrkr1-transfer+jws'))).to.deep.equal([]);
    const again = pair.partition.network.waiting.shift();
    expect(Buffer.from(again?.octets ?? []).equals(Buffer.from(confirmations[0]?.octets ?? []))).to.equal(true);
    expect(pair.b.hsm.calls.get('unwrap')).to.equal(unwraps);
    await pair.partition.stop();
  });

  it('two deliveries of one transfer at the same time install the key once', async () => {
    const pair = await openPair();
    await begin(pair);
    await pass(pair, 2);
    const transfer = seen(pair, 'mrkr1-transfer+jws');
    await Promise.all([
      pair.partition.network.deliver(pair.b.name, transfer),
      pair.partition.network.deliver(pair.b.name, transfer),
    ]);
    expect([...pair.b.keys.installations.values()]).to.deep.equal([1]);
    expect(pair.b.hsm.calls.get('unwrap')).to.equal(1);
    await pair.partition.run();
    expect(isReplicated(pair)).to.equal(true);
    await pair.partition.stop();
  });

  it('an offer of an ended session is refused as PREV and makes no agreement key', async () => {
    const pair = await openPair();
    await begin(pair);
    await pair.partition.run();
    const made = pair.a.hsm.calls.get('generateAgreementKey');
    expect(await give(pair.a, pair.partition, seen(pair, 'mrkr1-offer+jws'))).to.deep.equal(['PREV']);
    expect(pair.a.hsm.calls.get('generateAgreementKey')).to.equal(made);
    await pair.partition.stop();
  });

  it('a second, different offer for one intent is refused as DUPLICATE', async () => {
    const pair = await openPair();
    await begin(pair);
    await pass(pair, 2);
    const other = await resign(
      seen(pair, 'mrkr1-offer+jws'),
      signerOf(pair.b),
      (payload) => (payload['sid'] = toBase64Url(randomBytes(32))),
    );
    expect(await give(pair.a, pair.partition, other)).to.deep.equal(['DUPLICATE']);
    await pair.partition.run();
    expect(isReplicated(pair)).to.equal(true);
    await pair.partition.stop();
  });

  it('a second, different transfer in one session is refused as FORK', async () => {
    const pair = await openPair();
    await begin(pair);
    await pair.partition.run();
    const other = await resign(seen(pair, 'mrkr1-transfer+jws'), signerOf(pair.a), (payload) => (payload['iat'] = 1));
    expect(await give(pair.b, pair.partition, other)).to.deep.equal(['FORK']);
    await pair.partition.stop();
  });

  it('an intent of an earlier generation is refused as GEN', async () => {
    const pair = await openPair();
    await begin(pair);
    await pair.partition.run();
    await begin(pair);
    await pair.partition.run();
    const old = await resign(seen(pair, 'mrkr1-intent+jws'), signerOf(pair.a), (payload) => (payload['iat'] = 1));
    expect(await give(pair.b, pair.partition, old)).to.deep.equal(['GEN']);
    await pair.partition.stop();
  });

  it('an intent with older materials than the replica has is refused as GEN', async () => {
    const pair = await openPair();
    await begin(pair);
    await pair.partition.run();
    const older = await resign(seen(pair, 'mrkr1-intent+jws'), signerOf(pair.a), (payload) => {
      at(payload, 'keys', 0)['gen'] = '5';
      at(payload, 'keys', 0)['materialIds'] = ['0'.repeat(64)];
    });
    expect(await give(pair.b, pair.partition, older)).to.deep.equal(['GEN']);
    await pair.partition.stop();
  });

  it('a source that was restored from an older copy is told, says so, and can replicate again', async () => {
    const pair = await openPair();
    for (let time = 0; time < 3; time += 1) {
      await begin(pair);
      await pair.partition.run();
    }
    const task = pair.a.journal.task(pair.keyId, pair.b.name);
    if (task === undefined) throw new Error('no task');
    pair.a.journal.putTask({ ...task, generation: 0n });
    await begin(pair);
    await pair.partition.run();
    expect(pair.b.audit.refusals()).to.deep.equal(['GEN']);
    expect(pair.a.audit.refusals()).to.deep.equal(['FORK']);
    expect(pair.a.keys.failures.get(`${pair.keyId} ${pair.b.name}`)).to.match(/^GEN:/);
    await begin(pair);
    await pair.partition.run();
    expect(pair.b.keys.replicas.get(pair.keyId)?.generation).to.equal(4n);
    await pair.partition.stop();
  });

  it('a key id that another key uses is refused as CONFLICT', async () => {
    const pair = await openPair();
    const taken = pair.a.keys.primaries.get(pair.keyId);
    if (taken !== undefined) pair.b.keys.primaries.set(pair.keyId, taken);
    await begin(pair);
    await pair.partition.run();
    expect(pair.b.audit.refusals()).to.deep.equal(['CONFLICT']);
    expect(pair.a.keys.failures.get(`${pair.keyId} ${pair.b.name}`)).to.match(/^CONFLICT:/);
    await pair.partition.stop();
  });

  it('regions whose best common suite is below the floor are refused as FLOOR', async () => {
    const suites = { 'eu-west-1': ['CBCDERIVE-A256KWP'] } as const;
    const pair = await openPair({ suites, floor: 'X963-A256KWP' });
    expect(pair.a.agent.refusal(pair.b.name)).to.match(/share no replication suite at or above X963-A256KWP/);
    await begin(pair);
    await pair.partition.run();
    expect(pair.b.audit.refusals()).to.deep.equal(['FLOOR']);
    expect(pair.b.hsm.calls.get('generateAgreementKey') ?? 0).to.equal(0);
    await pair.partition.stop();
  });

  it('the confirmation that is lost for a long time leaves the source in doubt and the replica usable', async () => {
    const pair = await openPair();
    await begin(pair);
    await pass(pair, 3);
    pair.partition.network.waiting.length = 0;
    expect(pair.b.keys.replicas.get(pair.keyId)?.state).to.equal('Enabled');
    expect(pair.a.agent.status().outgoing.map((session) => session.state)).to.deep.equal(['SENT']);
    await pair.partition.advance(60_000);
    expect(isReplicated(pair)).to.equal(true);
    expect(pair.a.agent.status().outgoing).to.deep.equal([]);
    await pair.partition.stop();
  });

  it('a session that the destination does not know ends by its word and begins anew', async () => {
    const pair = await openPair();
    await begin(pair);
    await pass(pair, 2);
    pair.partition.network.waiting.length = 0;
    // The destination comes back from a copy made before it offered anything.
    const fresh = new (pair.b.journal.constructor as new (database: unknown) => typeof pair.b.journal)(
      pair.b.journal.database,
    );
    fresh.putRoster(1n, pair.partition.roster?.compact ?? '');
    pair.b.hsm.crash();
    await pair.partition.makeAgent(pair.b, { journal: fresh }).start();
    for (let round = 0; round < 6; round += 1) await pair.partition.advance(20_000);
    expect(isReplicated(pair)).to.equal(true);
    expect(pair.a.journal.allSourceSessions().map((session) => session.code)).to.include('UNKNOWN_SESSION');
    await pair.partition.stop();
  });

  it('an offer that is not used in time ends, and its agreement key with it', async () => {
    const pair = await openPair();
    await begin(pair);
    await pass(pair, 1);
    pair.partition.network.waiting.length = 0;
    expect(pair.b.hsm.heldObjects).to.equal(1);
    pair.b.clock.advance(REPLICATION_LIMITS.offerLifetimeMs);
    await pair.b.agent.tick();
    expect(pair.b.hsm.heldObjects).to.equal(0);
    expect(pair.b.keys.replicas.has(pair.keyId)).to.equal(false);
    await pair.partition.run();
    expect(isReplicated(pair)).to.equal(true);
    await pair.partition.stop();
  });

  it('a peer has a bounded number of open offers', async () => {
    const pair = await openPair();
    const max = REPLICATION_LIMITS.offersPerPeerMax;
    await begin(pair);
    const intent = seen(pair, 'mrkr1-intent+jws');
    pair.partition.network.waiting.length = 0;
    const refusals: string[] = [];
    for (let count = 0; count < max + 3; count += 1) {
      const key = await pair.a.agent.issueBirth({
        keySpec: 'SYMMETRIC_DEFAULT',
        keyUsage: 'ENCRYPT_DECRYPT',
        origin: 'AWS_KMS',
      });
      const octets = await resign(intent, signerOf(pair.a), (payload) => {
        at(payload, 'keys', 0)['keyId'] = key.keyId;
        at(payload, 'keys', 0)['birthCert'] = key.birthCertificate;
      });
      refusals.push(...(await give(pair.b, pair.partition, octets)));
    }
    expect(refusals).to.deep.equal(['LIMIT', 'LIMIT', 'LIMIT']);
    expect(pair.b.hsm.heldObjects).to.equal(max);
    await pair.partition.stop();
    expect(pair.b.hsm.heldObjects).to.equal(0);
  });

  it('several keys travel in one session, with one agreement and one set of signatures', async () => {
    const pair = await openPair();
    const { a, b, partition } = pair;
    await begin(pair);
    const intent = partition.network.waiting.shift()?.octets ?? new Uint8Array();
    const second = await partition.createKey(a, 2);
    const key = a.keys.exportable(second, b.name);
    const row = a.journal.openSourceSessions()[0];
    if (key === undefined || row === undefined) throw new Error('no session');
    const context = encodeContext(key.context);
    const materialIds = key.materials.map((material) => material.binding.materialId);
    const both = await resign(intent, signerOf(a), (payload) => {
      const { birthCertificate: birthCert } = key;
      const metaHash = toBase64Url(metadataHash(context));
      payload['keys'] = [
        at(payload, 'keys', 0),
        { keyId: second, birthCert, handovers: [], gen: '1', metaHash, materialIds },
      ];
    });
    const { jws } = takeApart(both);
    const entry = { keyId: second, generation: 1n, materialIds, context };
    a.journal.putSourceSession({ ...row, intent: jws.messageId, message: jws.compact, keys: [...row.keys, entry] });
    for (const keyId of [pair.keyId, second]) {
      a.journal.putTask({
        keyId,
        destination: b.name,
        generation: 1n,
        wanted: false,
        intent: jws.messageId,
        attempts: 0,
        failure: null,
      });
    }
    await partition.network.deliver(b.name, both);
    await partition.run();
    for (const keyId of [pair.keyId, second]) expect(isReplicated({ ...pair, keyId })).to.equal(true);
    expect(b.keys.replicas.get(second)?.materials.map((material) => b.hsm.reveal(material))).to.deep.equal(
      key.materials.map((material) => a.hsm.reveal(material)),
    );
    expect([a.hsm.calls.get('agree'), b.hsm.calls.get('agree')]).to.deep.equal([1, 1]);
    await partition.stop();
  });

  it('many keys wait for one another and all arrive', async () => {
    const pair = await openPair();
    const keyIds = [pair.keyId];
    for (let count = 0; count < 12; count += 1) keyIds.push(await pair.partition.createKey(pair.a));
    for (const keyId of keyIds) pair.a.agent.begin({ keyId, destination: pair.b.name });
    pair.a.agent.wake();
    await pair.a.agent.settled();
    expect(pair.partition.network.waiting).to.have.length(REPLICATION_LIMITS.exportsPerDestinationMax);
    await pair.partition.run();
    for (const keyId of keyIds) expect(isReplicated({ ...pair, keyId })).to.equal(true);
    await pair.partition.stop();
  });

  it('a hand-over fork freezes the key', async () => {
    const pair = await openPair({ regions: ['us-east-1', 'eu-west-1', 'ap-south-1'] });
    const c = pair.partition.region('ap-south-1');
    await begin(pair);
    const intent = pair.partition.network.waiting.shift()?.octets ?? new Uint8Array();
    const handover = (to: string) =>
      issueHandover(
        { partition: pair.partition.name, keyId: pair.keyId, from: pair.a.name, to, primaryGeneration: 1n, epoch: 1n },
        pair.a.kid,
        (kid, octets) => pair.a.hsm.sign(kid, octets),
      );
    const toC = await handover(c.name);
    const fromC = await resign(intent, signerOf(c), (payload) => {
      payload['iss'] = c.name;
      at(payload, 'keys', 0)['handovers'] = [toC];
    });
    expect(await give(pair.b, pair.partition, fromC)).to.deep.equal([]);
    // The old primary has not the word any more.
    expect(await give(pair.b, pair.partition, intent)).to.deep.equal(['ORIGIN']);
    const other = await handover('us-west-2');
    const forked = await resign(intent, signerOf(c), (payload) => {
      payload['iss'] = c.name;
      at(payload, 'keys', 0)['handovers'] = [other];
    });
    expect(await give(pair.b, pair.partition, forked)).to.deep.equal(['ORIGIN']);
    const back = await issueHandover(
      {
        partition: pair.partition.name,
        keyId: pair.keyId,
        from: pair.a.name,
        to: pair.a.name,
        primaryGeneration: 1n,
        epoch: 1n,
      },
      pair.a.kid,
      (kid, octets) => pair.a.hsm.sign(kid, octets),
    );
    const fork = await resign(intent, signerOf(pair.a), (payload) => (at(payload, 'keys', 0)['handovers'] = [back]));
    expect(await give(pair.b, pair.partition, fork)).to.deep.equal(['FORK']);
    expect(await give(pair.b, pair.partition, fromC.slice())).to.deep.equal([]);
    const fresh = await resign(fromC, signerOf(c), (payload) => (payload['iat'] = 2));
    expect(await give(pair.b, pair.partition, fresh)).to.deep.equal(['FORK']);
    await pair.partition.stop();
  });
});
