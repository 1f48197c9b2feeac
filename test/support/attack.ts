import { expect } from 'chai';
import { isKeyId, type KeyId } from '../../src/kms/key_id.js';
import type { KeyRecord, MaterialRecord } from '../../src/kms/key_record.js';
import type { RefusalCode } from '../../src/wire/refusal.js';
import { AttackLab, type BeginOptions, type LabRegion } from './attack_lab.js';
import type { RegionLetter, LabToken } from './lab_token.js';

/** The attack itself, and what it may leave as its note. */
export type AttackBody = (lab: AttackLab, note: (text: string) => void) => Promise<void>;

/**
 * Gives a test file its lab and its way of writing attacks: each begins with new databases, and ends with an honest replication and
 * tokens that hold what they held before.
 */
export function attacksOn(
  tokens: () => Partial<Record<RegionLetter, () => Promise<LabToken>>>,
): (title: string, body: AttackBody, options?: () => BeginOptions) => void {
  let lab: AttackLab | undefined;
  before(async () => {
    lab = await AttackLab.make(tokens());
  });
  after(() => lab?.close());
  return (title, body, options = () => ({})) => {
    it(title, async function () {
      if (lab === undefined) throw new Error('the lab was not made');
      await lab.begin(options());
      const test = this.test as { note?: string } | undefined;
      try {
        await body(lab, (text) => {
          if (test !== undefined) test.note = text;
        });
        await lab.proveUnharmed();
      } finally {
        await lab.end();
      }
    });
  };
}

type Row = readonly [table: string, ...values: unknown[]];

/** Every row of a region's database. */
export function rowsOf(region: LabRegion): readonly Row[] {
  const tables = region.database.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").all();
  return tables.flatMap(({ name }) =>
    region.database
      .prepare(`SELECT * FROM ${String(name)} ORDER BY 1`)
      .all()
      .map((row): Row => [
        String(name),
        ...Object.values(row).map((value) =>
          value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
        ),
      ]),
  );
}

/** Every key with material, as its region would use it. */
export function usableKeys(region: LabRegion): readonly object[] {
  return region.store.keyIds({ after: '', limit: 1000 }).flatMap((keyId) => {
    const record = region.store.key(keyId);
    if (record === undefined || record.state === 'Creating') return [];
    // Which replicas a primary lists follows from how their sessions ended; it is no key.
    const { multiRegion } = record;
    const key = { ...record, multiRegion: multiRegion === null ? null : { ...multiRegion, replicaRegions: [] } };
    return [{ key, materials: region.store.materials(keyId), policy: region.store.policy(keyId) }];
  });
}

/** What is expected of a refusal. */
export interface RefusalExpectation {
  /** Offending member or part. */
  readonly field?: string | null;
  /** The refusal ends its session: rows of the journal change, keys do not. */
  readonly ends?: boolean;
  /** Offers of other sessions that stay open in that region; 0 if left out. */
  readonly otherOffers?: number;
  /** Refusals of other regions that follow from this one. */
  readonly elsewhere?: readonly RefusalCode[];
}

/**
 * Attacks, and expects of a region exactly one line of audit with this code and no change of any key anywhere; and where the refusal
 * ends no session, no change of any row.
 */
export async function expectRefusal(
  lab: AttackLab,
  at: LabRegion,
  code: RefusalCode,
  attack: () => Promise<unknown>,
  expectation: RefusalExpectation = {},
): Promise<void> {
  const regions = lab.regions;
  const before = regions.map((region) => ({
    region,
    rows: rowsOf(region),
    keys: usableKeys(region),
    records: region.audit.records.length,
  }));
  await attack();
  await lab.settle();
  const refusals = before.map(({ region, records }) => ({
    region,
    refused: region.audit.records.slice(records).filter((record) => !record.code.startsWith('REPL_')),
  }));
  const here = refusals.find(({ region }) => region === at)?.refused ?? [];
  expect(
    here.map((record) => record.code),
    `refusals in ${at.name}: ${JSON.stringify(here)}`,
  ).to.deep.equal([code]);
  if (expectation.field !== undefined) expect(here[0]?.field, 'offending field').to.equal(expectation.field);
  const others = refusals.flatMap(({ region, refused }) => (region === at ? [] : refused.map((record) => record.code)));
  expect(others, 'refusals elsewhere').to.deep.equal(expectation.elsewhere ?? []);
  for (const { region, rows, keys } of before) {
    expect(usableKeys(region), `keys of ${region.name}`).to.deep.equal(keys);
    if (expectation.ends !== true) expect(rowsOf(region), `rows of ${region.name}`).to.deep.equal(rows);
  }
  if (expectation.ends === true) {
    const open = at.journal.openDestinationSessions().filter((session) => session.state !== 'INSTALLED');
    expect(
      open.map((session) => session.state),
      'sessions that go on',
    ).to.have.lengthOf(expectation.otherOffers ?? 0);
    expect(await at.token.hsm.ephemeralCount(), 'ephemeral objects').to.equal(expectation.otherOffers ?? 0);
  }
}

/** What the key manager of a region says to somebody who wants to use a key: `NotFoundException`, … or `usable`. */
export async function useOf(lab: AttackLab, region: LabRegion, keyId: string): Promise<string> {
  return lab.encrypt(region, keyId, 'used').then(
    () => 'usable',
    (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : String(error)),
  );
}

function requireKeyId(text: string): KeyId {
  if (!isKeyId(text)) throw new Error(`${text} is no key id`);
  return text;
}

/** How a primary's region sees one replica. */
export function standingOf(source: LabRegion, keyId: string, destination: LabRegion): string | undefined {
  return source.store.replica(requireKeyId(keyId), destination.name)?.standing;
}

/** What a region has recorded of a key. */
export function recordOf(region: LabRegion, keyId: string): KeyRecord | undefined {
  return region.store.key(requireKeyId(keyId));
}

/** All versions of a key's material in a region. */
export function materialsOf(region: LabRegion, keyId: string): readonly MaterialRecord[] {
  return region.store.materials(requireKeyId(keyId));
}
