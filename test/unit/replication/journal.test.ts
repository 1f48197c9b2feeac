import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Database } from '../../../src/adapters/database.js';
import { SqliteJournal } from '../../../src/adapters/replication_store_sqlite.js';
import type { DestinationSession, Journal, SourceSession } from '../../../src/replication/journal.js';
import { MemoryJournal } from '../../support/memory_journal.js';
import { TestPartition } from '../../support/replication_partition.js';

const keyId = `mrk-${'0'.repeat(32)}`;

const source: SourceSession = {
  intent: 'intent-1',
  state: 'INTENT',
  destination: 'eu-west-1',
  epoch: 3n,
  keys: [{ keyId, generation: 2n ** 63n, materialIds: ['a', 'b'], context: new Uint8Array([0, 255, 1]) }],
  sid: null,
  offer: null,
  transfer: null,
  confirmationHash: null,
  message: 'm0',
  code: null,
  createdMs: 1_700_000_000_000,
};

const destination: DestinationSession = {
  sid: 'sid-1',
  state: 'OFFERED',
  source: 'us-east-1',
  intent: 'intent-1',
  epoch: 3n,
  keys: [{ keyId, generation: 5n, materialIds: ['a'] }],
  offer: 'offer-1',
  transfer: null,
  message: 'm1',
  code: null,
  closed: false,
  createdMs: 1_700_000_000_001,
};

function plain(session: SourceSession | undefined): unknown {
  return session === undefined
    ? undefined
    : { ...session, keys: session.keys.map((key) => ({ ...key, context: [...key.context] })) };
}

type Make = () => { journal: Journal; close: () => void };

function inSqlite(open: (database: Database) => Journal): Make {
  return () => {
    const directory = mkdtempSync(join(tmpdir(), 'keyferry-journal-'));
    const database = Database.open(join(directory, 'region.db'));
    return {
      journal: open(database),
      close: () => {
        database.close();
        rmSync(directory, { recursive: true });
      },
    };
  };
}

/** Each call is answered by a journal of its own, which cannot remember anything. */
function forgetful(database: Database): Journal {
  return new Proxy(new SqliteJournal(database), {
    get: (_journal, name) => {
      const fresh = new SqliteJournal(database);
      const member: unknown = Reflect.get(fresh, name);
      return typeof member === 'function' ? (member.bind(fresh) as unknown) : member;
    },
  });
}

const kinds: readonly (readonly [string, Make])[] = [
  ['in memory', () => ({ journal: new MemoryJournal(), close: () => undefined })],
  ['in SQLite', inSqlite((database) => new SqliteJournal(database))],
  ['in SQLite, read from the database each time', inSqlite(forgetful)],
];

for (const [kind, make] of kinds) {
  describe(`the journal ${kind}`, () => {
    let journal: Journal;
    let close: () => void;
    beforeEach(() => ({ journal, close } = make()));
    afterEach(() => close());

    it('gives sessions of the source back as they were put', () => {
      journal.putSourceSession(source);
      expect(plain(journal.sourceSession('intent-1'))).to.deep.equal(plain(source));
      const sent: SourceSession = {
        ...source,
        state: 'SENT',
        sid: 'sid-1',
        offer: 'o',
        transfer: 't',
        confirmationHash: 'c',
        message: 'm2',
      };
      journal.putSourceSession(sent);
      expect(plain(journal.sourceSessionBySid('sid-1'))).to.deep.equal(plain(sent));
      expect(journal.openSourceSessions().map((session) => session.intent)).to.deep.equal(['intent-1']);
      journal.putSourceSession({ ...sent, state: 'DONE' });
      expect(journal.openSourceSessions()).to.deep.equal([]);
      expect(journal.sourceSession('other')).to.equal(undefined);
    });

    it('gives sessions of the destination back as they were put', () => {
      journal.putDestinationSession(destination);
      expect(journal.destinationSession('sid-1')).to.deep.equal(destination);
      expect(journal.destinationSessionByIntent('intent-1')).to.deep.equal(destination);
      journal.putDestinationSession({ ...destination, state: 'INSTALLED', transfer: 't', message: 'm3' });
      expect(journal.openDestinationSessions().map((session) => session.state)).to.deep.equal(['INSTALLED']);
      journal.putDestinationSession({ ...destination, state: 'INSTALLED', transfer: 't', message: 'm3', closed: true });
      expect(journal.openDestinationSessions()).to.deep.equal([]);
      expect(journal.destinationSession('sid-1')?.closed).to.equal(true);
    });

    it('a transaction that throws leaves nothing behind, whatever it wrote', () => {
      expect(() =>
        journal.transaction(() => {
          journal.putSourceSession(source);
          journal.putDestinationSession(destination);
          journal.putTask({
            keyId,
            destination: 'x',
            generation: 1n,
            wanted: true,
            intent: null,
            attempts: 0,
            failure: null,
          });
          journal.raiseHighWater(keyId, 'us-east-1', 9n);
          journal.putPrimary(keyId, { region: 'us-east-1', generation: 0n, frozen: false, path: [] });
          journal.noteOnce('nonce', 1);
          journal.putRoster(1n, 'roster');
          throw new Error('power cut');
        }),
      ).to.throw('power cut');
      expect([
        journal.sourceSession('intent-1'),
        journal.destinationSession('sid-1'),
        journal.task(keyId, 'x'),
        journal.primary(keyId),
      ]).to.deep.equal([undefined, undefined, undefined, undefined]);
      expect(journal.highWater(keyId, 'us-east-1')).to.equal(-1n);
      expect(journal.noteOnce('nonce', 1)).to.equal(true);
      expect(journal.rosters()).to.deep.equal([]);
    });

    it('counters only rise, nonces are new once, rosters come in order of epoch', () => {
      journal.raiseHighWater(keyId, 'us-east-1', 10n);
      journal.raiseHighWater(keyId, 'us-east-1', 9n);
      expect(journal.highWater(keyId, 'us-east-1')).to.equal(10n);
      expect(['n', 'n', 'o'].map((value) => journal.noteOnce(value, 1))).to.deep.equal([true, false, true]);
      for (const epoch of [9n, 10n, 1n, 100n]) journal.putRoster(epoch, `roster ${epoch}`);
      expect(journal.rosters()).to.deep.equal(['roster 1', 'roster 9', 'roster 10', 'roster 100']);
      expect(() => journal.putRoster(9n, 'other')).to.throw();
    });

    it('tasks are open while they are wanted or have a session', () => {
      const task = {
        keyId,
        destination: 'x',
        generation: 2n ** 64n - 1n,
        wanted: true,
        intent: null,
        attempts: 3,
        failure: null,
      };
      journal.putTask(task);
      expect(journal.openTasks()).to.deep.equal([task]);
      journal.putTask({ ...task, wanted: false, intent: 'i' });
      expect(journal.openTasks()).to.have.length(1);
      journal.putTask({ ...task, wanted: false, failure: 'KC: refused' });
      expect(journal.openTasks()).to.deep.equal([]);
      expect(journal.task(keyId, 'x')?.failure).to.equal('KC: refused');
    });

    it('remembers whom hand-overs have named, and which keys are frozen as long as they are here', () => {
      const primary = { region: 'x', generation: 2n, frozen: false, path: ['us-east-1', 'x'] };
      journal.putPrimary(keyId, primary);
      expect([journal.primary(keyId), journal.frozenKeys()]).to.deep.equal([primary, []]);
      journal.putPrimary(keyId, { ...primary, frozen: true });
      expect(journal.frozenKeys()).to.deep.equal([keyId]);
      journal.forgetKey(keyId);
      expect(journal.frozenKeys()).to.deep.equal([]);
      expect(journal.primary(keyId)).to.deep.equal({ ...primary, frozen: true });
    });

    it('forgets values that were noted long ago, and no others', () => {
      journal.noteOnce('old', 1);
      journal.noteOnce('new', 2);
      journal.prune(2);
      expect(['old', 'new'].map((value) => journal.noteOnce(value, 3))).to.deep.equal([true, false]);
    });

    it('forgets a deleted key’s sessions and tasks, whatever their state, and still knows what may not come again', () => {
      const other = `mrk-${'1'.repeat(32)}`;
      const primary = { region: 'us-east-1', generation: 1n, frozen: false, path: ['us-east-1'] };
      const task = { destination: 'x', generation: 4n, wanted: true, intent: null, attempts: 0, failure: null };
      for (const id of [keyId, other]) {
        const keys = [{ keyId: id, generation: 9n, materialIds: ['a'] }];
        const context = new Uint8Array([1]);
        journal.putSourceSession({
          ...source,
          intent: `i ${id}`,
          sid: `s ${id}`,
          state: 'SENT',
          keys: keys.map((key) => ({ ...key, context })),
        });
        journal.putDestinationSession({ ...destination, sid: `d ${id}`, intent: `i ${id}`, keys });
        journal.putTask({ ...task, keyId: id });
        journal.raiseHighWater(id, 'us-east-1', 9n);
        journal.putPrimary(id, primary);
      }
      journal.transaction(() => journal.forgetKey(keyId));
      const kept = (id: string) => [
        journal.sourceSession(`i ${id}`)?.state,
        journal.sourceSessionBySid(`s ${id}`)?.state,
        journal.destinationSession(`d ${id}`)?.state,
        journal.destinationSessionByIntent(`i ${id}`)?.state,
        journal.task(id, 'x')?.generation,
      ];
      expect(kept(keyId)).to.deep.equal([undefined, undefined, undefined, undefined, undefined]);
      expect(kept(other)).to.deep.equal(['SENT', 'SENT', 'OFFERED', 'OFFERED', 4n]);
      expect(journal.openTasks().map((open) => open.keyId)).to.deep.equal([other]);
      expect(journal.highWater(keyId, 'us-east-1')).to.equal(9n);
      expect(journal.primary(keyId)).to.deep.equal(primary);
      // It lives and ends once more.
      journal.raiseHighWater(keyId, 'us-east-1', 8n);
      expect(journal.highWater(keyId, 'us-east-1')).to.equal(9n);
      journal.raiseHighWater(keyId, 'us-east-1', 12n);
      journal.putPrimary(keyId, { ...primary, generation: 2n });
      journal.forgetKey(keyId);
      expect(journal.highWater(keyId, 'us-east-1')).to.equal(12n);
      expect(journal.primary(keyId)?.generation).to.equal(2n);
    });

    it('forgets finished sessions only, and only old ones', () => {
      journal.putSourceSession({ ...source, state: 'DONE' });
      journal.putSourceSession({ ...source, intent: 'intent-2', state: 'SENT', sid: 'sid-2' });
      journal.putDestinationSession({ ...destination, state: 'INSTALLED' });
      journal.putDestinationSession({ ...destination, sid: 'sid-3', state: 'INSTALLED', closed: true });
      journal.prune(1);
      expect(journal.sourceSession('intent-1')?.state).to.equal('DONE');
      journal.prune(1_800_000_000_000);
      expect([journal.sourceSession('intent-1'), journal.destinationSession('sid-3')]).to.deep.equal([
        undefined,
        undefined,
      ]);
      expect([journal.sourceSession('intent-2')?.state, journal.destinationSession('sid-1')?.state]).to.deep.equal([
        'SENT',
        'INSTALLED',
      ]);
    });
  });
}

describe('a region whose journal is in SQLite', () => {
  it('answers from memory only what the database has, also after a rollback and with more sessions than it remembers', () => {
    const directory = mkdtempSync(join(tmpdir(), 'keyferry-journal-'));
    const database = Database.open(join(directory, 'region.db'));
    try {
      const journal = new SqliteJournal(database);
      const numbers = Array.from({ length: 300 }, (_, number) => number);
      database.transaction(() => {
        for (const number of numbers) {
          journal.putSourceSession({ ...source, intent: `intent-${number}`, sid: `sid-${number}` });
          journal.putDestinationSession({ ...destination, sid: `sid-${number}`, intent: `intent-${number}` });
        }
      });
      expect(() =>
        journal.transaction(() => {
          journal.putSourceSession({ ...source, intent: 'intent-299', sid: 'sid-299', state: 'SENT' });
          journal.putDestinationSession({ ...destination, sid: 'sid-299', intent: 'intent-299', state: 'INSTALLED' });
          throw new Error('late');
        }),
      ).to.throw('late');
      journal.putSourceSession({ ...source, intent: 'intent-5', sid: 'sid-5', state: 'DONE' });
      const fresh = forgetful(database);
      for (const number of numbers) {
        const [intent, sid] = [`intent-${number}`, `sid-${number}`];
        expect(plain(journal.sourceSession(intent))).to.deep.equal(plain(fresh.sourceSession(intent)));
        expect(plain(journal.sourceSessionBySid(sid))).to.deep.equal(plain(fresh.sourceSession(intent)));
        expect(journal.destinationSession(sid)).to.deep.equal(fresh.destinationSession(sid));
      }
      expect(journal.sourceSession('intent-5')?.state).to.equal('DONE');
      expect(journal.sourceSession('intent-299')?.state).to.equal('INTENT');
    } finally {
      database.close();
      rmSync(directory, { recursive: true });
    }
  });

  it('carries a replication through a restart of both processes', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'keyferry-restart-'));
    try {
      const partition = await TestPartition.create({ regions: ['us-east-1', 'eu-west-1'] });
      const roster = partition.roster?.compact ?? '';
      const databases = new Map(
        [...partition.regions.keys()].map((name) => [name, Database.open(join(directory, `${name}.db`))]),
      );
      const boot = async (): Promise<void> => {
        for (const region of partition.regions.values()) {
          const database = databases.get(region.name);
          if (database === undefined) throw new Error('no database');
          region.hsm.crash();
          partition.makeAgent(region, { journal: new SqliteJournal(database) }).applyRosters([roster]);
          await region.agent.start();
        }
      };
      await boot();
      const a = partition.region('us-east-1');
      const b = partition.region('eu-west-1');
      const keyId = await partition.createKey(a);
      partition.replicate(a, keyId, b.name);
      await a.agent.settled();
      await partition.network.deliver(b.name, partition.network.waiting.shift()?.octets ?? new Uint8Array());
      await boot();
      await partition.run();
      for (let round = 0; round < 4; round += 1) await partition.advance(5_000);
      expect(b.keys.replicas.get(keyId)?.state).to.equal('Enabled');
      expect(a.agent.status().outgoing).to.deep.equal([]);
      await partition.stop();
      for (const database of databases.values()) database.close();
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
