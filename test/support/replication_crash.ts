import { ReplicateKeyCommand, type KMSClient } from '@aws-sdk/client-kms';
import { expect } from 'chai';
import { setTimeout as sleep } from 'node:timers/promises';
import { hostileMode, honestMode, type DeliveryMode } from '../../src/proxy/delivery_mode.js';
import {
  armCall,
  armCrash,
  countedCalls,
  CRASH_POINTS,
  disarm,
  type CrashPoint,
  type RoleCalls,
} from './crash_points.js';
import { describeMessage, type SeenMessage } from './seen_message.js';
import { RegionLab, type LabRegionProcess } from './lab_process.js';
import { journalState, sessionStates, storedKeys, tokenObjectCount } from './region_evidence.js';
import {
  createPrimary,
  expectSameKey,
  expectToCross,
  replicateUntilAccepted,
  untilTrue,
  waitUntilEnabled,
} from './replication_client.js';
import type { SoftwareTokenKind } from './token_directory.js';

const PRIMARY = 'us-east-1';
const REPLICA = 'eu-west-1';
/** Every message comes twice, the second time late, and now and then an old one comes again. */
const DUPLICATES = { duplicate: 1, reorder: 0.5, replay: 0.3 };
/** Kills at moments that nothing chose, for each pair of tokens. */
const RANDOM_KILLS = 4;
/** Set to run also a kill before every single PKCS#11 call of both roles. */
const isExhaustive = process.env['KEYFERRY_CRASH_EVERY_CALL'] !== undefined;
const seed = Number(process.env['KEYFERRY_SEED'] ?? 20_261_121);

/**
 * Describes what holds of replications from one kind of token to another while `kill -9` ends the regions' processes in every gap
 * between two steps.
 *
 * @source docs/PROTOCOL.md section on crashes; each gap is one of {@link CRASH_POINTS}
 */
export function describeCrashes(from: SoftwareTokenKind, to: SoftwareTokenKind): void {
  describe(`A replication from ${from} to ${to} while the regions' processes are killed`, function () {
    this.timeout(isExhaustive ? 900_000 : 300_000);
    let lab: RegionLab;
    let primary: LabRegionProcess;
    let replica: LabRegionProcess;
    let here: KMSClient;
    let there: KMSClient;
    let calls: Readonly<Record<CrashPoint['role'], RoleCalls>>;
    let objectsBefore: readonly number[];
    const keys: string[] = [];
    const hits = new Map<string, number>();
    const traffic = { accepted: 0, delivered: 0 };
    /** Told of each message when the proxy has taken it over. */
    let onMessage: (message: SeenMessage) => void = () => undefined;

    before(async () => {
      lab = await RegionLab.start({ [PRIMARY]: from, [REPLICA]: to });
      primary = lab.region(PRIMARY);
      replica = lab.region(REPLICA);
      here = primary.client();
      there = replica.client();
      objectsBefore = [primary, replica].map(({ directory }) => tokenObjectCount(directory));
      calls = await callsOfOneReplication();
      lab.proxy.relay.setMode(watched(hostileMode({ seed, ...DUPLICATES })), 'duplicates');
    });
    after(() => lab?.close());

    it('ends in one live key after a kill in every gap between two steps', async function () {
      for (const point of CRASH_POINTS) await crashAt(point);
      expect(traffic.delivered).to.be.least(2 * traffic.accepted);
      const killed = (role: CrashPoint['role']): string =>
        CRASH_POINTS.filter((point) => point.role === role)
          .map((point) => `${point.step} (${hits.get(`${role}: ${point.step}`)})`)
          .join(', ');
      const copies = `${traffic.accepted} messages delivered ${traffic.delivered} times`;
      const note = `kills at the source: ${killed('source')}; at the destination: ${killed('destination')}; ${copies}`;
      if (this.test !== undefined) (this.test as { note?: string }).note = note;
    });

    if (isExhaustive)
      it('ends in one live key after a kill before every PKCS#11 call', async () => {
        for (const role of ['source', 'destination'] as const) {
          for (const [index, name] of calls[role].entries()) {
            const nth = calls[role].slice(0, index + 1).filter((other) => other === name).length;
            await crash(role, (region) => armCall(region, { name, nth, when: 'before' }));
          }
        }
      });

    it(`ends in one live key each after kills at random moments (seed ${seed})`, async () => {
      const random = pseudoRandom(seed);
      const wanted = await Promise.all(Array.from({ length: RANDOM_KILLS }, () => createPrimary(here)));
      keys.push(...wanted);
      for (const [round, keyId] of wanted.entries()) {
        await replicateUntilAccepted(here, keyId, REPLICA);
        await sleep(random() * 250);
        const victims = [[primary], [replica], [primary, replica]][round % 3] ?? [];
        for (const { program } of victims) program.kill();
        await Promise.all(victims.map(({ program }) => program.ended));
        await Promise.all(victims.map(({ program }) => program.start()));
      }
      for (const keyId of wanted) await waitUntilEnabled(there, keyId, 60_000);
    });

    it('leaves the same keys in both regions, and neither a session nor an object behind', async () => {
      for (const region of [primary, replica]) {
        await untilTrue(`${region.name} has no open session`, async () => {
          const { outgoing, incoming, waiting } = (await region.status()).replication;
          return outgoing.length + incoming.length + waiting.length === 0;
        });
        const { hsm, replication } = await region.status();
        expect([hsm.state, hsm.ephemeralKeys, replication.state]).to.deep.equal(['working', 0, 'RUNNING']);
      }
      for (const keyId of keys) {
        await expectSameKey(here, there, keyId);
        await expectToCross(here, there, keyId);
        await expectToCross(there, here, keyId);
      }
      const [atPrimary, atReplica] = [storedKeys(primary.directory), storedKeys(replica.directory)];
      expect([...atReplica.keys()].toSorted()).to.deep.equal(keys.toSorted());
      for (const [keyId, stored] of atReplica) {
        expect(stored).to.deep.equal({ ...atPrimary.get(keyId), type: 'REPLICA' });
        expect(stored.materialIds).to.have.length(1);
      }
      const sent = sessionStates(primary.directory, 'source');
      const received = sessionStates(replica.directory, 'destination');
      const notGivenUp = (states: readonly string[] | undefined): readonly string[] =>
        (states ?? []).filter((state) => state !== 'ABORTED');
      for (const keyId of keys) {
        // The source has seen exactly the session end well in which the destination installed the key; every other one was given up.
        expect(notGivenUp(sent.get(keyId)), keyId).to.deep.equal(['DONE']);
        expect(notGivenUp(received.get(keyId)), keyId).to.deep.equal(['INSTALLED']);
      }
      const objectsAfter = [primary, replica].map(({ directory }) => tokenObjectCount(directory));
      expect(objectsAfter).to.deep.equal(objectsBefore);
    });

    /** Replicates once without faults and notes which PKCS#11 calls each role makes. */
    async function callsOfOneReplication(): Promise<Readonly<Record<CrashPoint['role'], RoleCalls>>> {
      lab.proxy.relay.setMode(honestMode, 'honest');
      const keyId = await createPrimary(here);
      keys.push(keyId);
      const before = [primary.tokenCalls().length, replica.tokenCalls().length] as const;
      await here.send(new ReplicateKeyCommand({ KeyId: keyId, ReplicaRegion: REPLICA }));
      await untilTrue('M4 has come', async () => journalState(replica.directory, 'destination', keyId) === 'CLOSED');
      return {
        source: countedCalls(primary.tokenCalls().slice(before[0])),
        destination: countedCalls(replica.tokenCalls().slice(before[1])),
      };
    }

    async function crashAt(point: CrashPoint): Promise<void> {
      const keyId = await crash(point.role, (region, key) => {
        armCrash(region, point, key, calls[point.role]);
        const { moment } = point;
        if (moment.kind !== 'release') return;
        // M4 names the session only.
        const sids = new Set<string>();
        onMessage = ({ name, sid, keyIds }) => {
          if (keyIds.includes(key) && sid !== null) sids.add(sid);
          const isAbout = keyIds.includes(key) || (sid !== null && sids.has(sid));
          if (name === moment.message && isAbout) region.program.kill();
        };
      });
      const gap = `${point.role}: ${point.step}`;
      expect(leftBehind.get(keyId), `journal after a kill at "${gap}"`).to.equal(point.leaves);
      hits.set(gap, (hits.get(gap) ?? 0) + 1);
    }

    /** Journal state in the dead process's database, by key. */
    const leftBehind = new Map<string, string>();

    /** One replication with one kill: whatever the moment, the key lives in both regions afterwards. */
    async function crash(
      role: CrashPoint['role'],
      arm: (region: LabRegionProcess, keyId: string) => void,
    ): Promise<string> {
      const region = role === 'source' ? primary : replica;
      const keyId = await createPrimary(here);
      keys.push(keyId);
      arm(region, keyId);
      const request = here
        .send(new ReplicateKeyCommand({ KeyId: keyId, ReplicaRegion: REPLICA }))
        .catch(() => undefined);
      const outcome = await Promise.race([
        region.program.ended.then(() => 'killed'),
        sleep(20_000, 'lived', { ref: false }),
      ]);
      onMessage = () => undefined;
      disarm(region);
      expect(outcome, `process of ${region.name} as ${role}`).to.equal('killed');
      await request;
      leftBehind.set(keyId, journalState(region.directory, role, keyId));
      await region.program.start();
      await replicateUntilAccepted(here, keyId, REPLICA);
      await waitUntilEnabled(there, keyId);
      await expectToCross(here, there, keyId);
      await expectToCross(there, here, keyId);
      return keyId;
    }

    function watched(mode: DeliveryMode): DeliveryMode {
      return (message) => {
        onMessage(describeMessage(message.octets));
        const deliveries = mode(message);
        traffic.accepted += 1;
        traffic.delivered += deliveries.length;
        return deliveries;
      };
    }
  });
}

/** Numbers in [0, 1) that depend on the seed alone (xorshift32). */
function pseudoRandom(start: number): () => number {
  let state = start >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 4_294_967_296;
  };
}
