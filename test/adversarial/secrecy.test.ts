import { readFileSync, readdirSync, rmSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { writeHeapSnapshot } from 'node:v8';
import { expect } from 'chai';
import type { TraceEvent } from '../../src/replication/trace.js';
import { attacksOn, useOf, standingOf } from '../support/attack.js';
import type { AttackLab, LabRegion } from '../support/attack_lab.js';
import { labTokens } from '../support/lab_token.js';
import { CompromisedHsm, type Revealed } from '../support/compromised_hsm.js';

/** Every file of a region's database. */
function databaseFiles(region: LabRegion): readonly { readonly name: string; readonly octets: Buffer }[] {
  const directory = dirname(region.databasePath);
  return readdirSync(directory).map((name) => ({ name, octets: readFileSync(join(directory, name)) }));
}

/** The texts of the JavaScript heap, as a debugger would find them. */
function heapTexts(): Buffer {
  const directory = mkdtempSync(join(tmpdir(), 'keyferry-heap-'));
  try {
    return readFileSync(writeHeapSnapshot(join(directory, 'heap.heapsnapshot')));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

describe('an adversary who has recorded everything and reads whatever a region keeps', function () {
  this.timeout(120_000);
  const attack = attacksOn(() => labTokens(['A', 'B']));
  let hsm: CompromisedHsm;

  for (const side of ['A', 'B'] as const) {
    const honest = side === 'A' ? 'B' : 'A';
    attack(
      `A43 no secret of a session is in the messages, the database, the audit, the trace or the heap of ${honest}`,
      async (lab, note) => {
        const traced: TraceEvent[] = [];
        const stops = lab.regions.map((region) => region.agent.observe((event) => traced.push(event)));
        const keyId = side === 'A' ? await lab.createKnownKey(lab.A, hsm) : await lab.createKey(lab.A);
        await lab.replicate(lab.A, keyId, lab.B);
        await lab.run();
        expect(standingOf(lab.A, keyId, lab.B)).to.equal('ACTIVE');
        if (side === 'A') expect(await useOf(lab, lab.B, keyId)).to.equal('usable');
        for (const stop of stops) stop();
        // Before anything here puts a secret into a text.
        const heap = heapTexts();
        const places = [
          ...lab.network.seen.map(({ label, octets }) => ({ name: label, octets: Buffer.from(octets) })),
          ...lab.network.seen.flatMap(({ label, octets }) =>
            Buffer.from(octets)
              .toString()
              .split('.')
              .map((part) => ({ name: `${label}, decoded`, octets: Buffer.from(part, 'base64url') })),
          ),
          ...databaseFiles(lab.region(honest)),
          ...lab.regions.map(({ name, audit }) => ({
            name: `audit of ${name}`,
            octets: Buffer.from(JSON.stringify(audit.records)),
          })),
          { name: 'trace', octets: Buffer.from(JSON.stringify(traced)) },
          { name: 'heap', octets: heap },
        ];
        const secrets = secretsOf(hsm);
        expect(secrets.size, 'secrets to look for').to.be.greaterThan(4);
        const hits = places.flatMap(({ name, octets }) =>
          [...secrets].flatMap(([what, secret]) =>
            formsOf(secret).flatMap((form) => (octets.includes(form) ? [`${what} in ${name}`] : [])),
          ),
        );
        expect(hits).to.deep.equal([]);
        const total = places.reduce((sum, { octets }) => sum + octets.length, 0);
        note(`${secrets.size} secrets in 7 forms each looked for in ${Math.round(total / 1_048_576)} MiB`);
        await provesItsSearch(lab, places);
      },
      () => {
        const ports = {
          hsm: (real: ConstructorParameters<typeof CompromisedHsm>[0]) => (hsm = new CompromisedHsm(real)),
        };
        return { ports: side === 'A' ? { A: ports } : { B: ports } };
      },
    );
  }

  attack('A43 after the session no agreement key exists that a stolen signing key could be used with', async (lab) => {
    const { A, B } = lab;
    const keyId = await lab.createKey(A);
    await lab.replicate(A, keyId, B);
    await lab.run();
    expect(await useOf(lab, B, keyId)).to.equal('usable');
    expect([await A.token.hsm.ephemeralCount(), await B.token.hsm.ephemeralCount()]).to.deep.equal([0, 0]);
  });
});

function secretsOf(hsm: CompromisedHsm): ReadonlyMap<string, Buffer> {
  const secrets = new Map<string, Buffer>();
  const names: readonly (keyof Revealed)[] = ['privateKey', 'z', 'rwk', 'kck'];
  for (const [at, revealed] of hsm.revealed.entries())
    for (const name of names) secrets.set(`${name} of agreement ${at}`, revealed[name]);
  for (const [materialId, octets] of hsm.materials) secrets.set(`material ${materialId}`, octets);
  return secrets;
}

/** Octets as they are, in their first half, and in the texts that programs make of them. */
function formsOf(secret: Buffer): readonly Buffer[] {
  const texts = [
    secret.toString('hex'),
    secret.toString('hex').toUpperCase(),
    secret.toString('base64').replace(/=*$/, ''),
    secret.toString('base64url'),
    [...secret].join(),
  ];
  return [secret, secret.subarray(0, 16), ...texts.map((text) => Buffer.from(text.slice(0, 40)))];
}

/** The same search finds what is public: the key's material id, which is in every one of these places. */
async function provesItsSearch(
  lab: AttackLab,
  places: readonly { readonly name: string; readonly octets: Buffer }[],
): Promise<void> {
  const [materialId] = lab.A.store
    .keyIds({ after: '', limit: 10 })
    .flatMap((id) => lab.A.store.materials(id).map(({ material }) => material.binding.materialId));
  const found = new Set(
    places.filter(({ octets }) => octets.includes(Buffer.from(materialId ?? 'none'))).map(({ name }) => name),
  );
  expect([...found]).to.include.members(['M2, decoded', 'heap', 'trace']);
}
