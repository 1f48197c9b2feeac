import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import Libsql from 'libsql';
import { holdDatabases } from '../../../src/adapters/held_databases.js';
import { ConfigError } from '../../../src/errors.js';
import { identityOf } from '../../../src/lab/process_identity.js';
import { restoreLab } from '../../../src/lab/restore.js';
import { takeSnapshot, type HoldDatabases } from '../../../src/lab/snapshot.js';
import { settleRestore } from '../../../src/lab/restore_settlement.js';
import { StateDirectory } from '../../../src/lab/state_directory.js';

/** The message of a refusal; `accepted` where there is none. */
function refusalOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return 'accepted';
}

describe('snapshots of a lab', () => {
  let scratch: string;
  let directory: StateDirectory;
  let snapshot: string;

  beforeEach(() => {
    scratch = mkdtempSync(join(tmpdir(), 'kf-snap-'));
    directory = new StateDirectory(join(scratch, 'lab'));
    snapshot = join(scratch, 'snapshot');
    directory.make(['us-east-1']);
    writeFileSync(directory.labFile, JSON.stringify({ partition: 'aws', account: '111122223333' }));
    const database = new Libsql(databaseFile());
    database.pragma('journal_mode = WAL');
    database.exec("CREATE TABLE keys (name TEXT); INSERT INTO keys VALUES ('old')");
    database.close();
    writeFileSync(directory.regionConfig('us-east-1'), JSON.stringify(configOf(directory.root)));
    const authority = { token: { managed: { directory: join(directory.authority, 'token') } } };
    writeFileSync(join(directory.authority, 'authority.json'), JSON.stringify(authority));
    writeFileSync(join(directory.region('us-east-1'), 'user.pin'), '1234');
    writeFileSync(join(directory.root, 'state.json'), '{}');
    writeFileSync(join(directory.root, 'logs', 'up.log'), 'started');
  });
  afterEach(() => rmSync(scratch, { recursive: true }));

  const databaseFile = (root = directory): string => join(root.region('us-east-1'), 'region.db');

  /** A region's configuration, with the paths that matter here. */
  function configOf(root: string): object {
    const own = join(root, 'regions', 'us-east-1');
    return {
      region: 'us-east-1',
      partition: 'aws',
      account: '111122223333',
      listen: { host: '127.0.0.1', port: 4610 },
      token: {
        module: 'nss',
        managed: { kind: 'nss', directory: join(own, 'token') },
        label: 'us-east-1',
        slot: null,
        pin: { kind: 'file', path: join(own, 'user.pin') },
        soPin: { kind: 'empty' },
      },
      proxyUrl: 'http://127.0.0.1:4600',
      directory: own,
      rosterFile: join(root, 'authority', 'rosters.jws'),
      authorityKid: 'a'.repeat(64),
      credentials: [],
      hsm: { outsideToken: 'refuse' },
      profile: 'full',
      lab: true,
    };
  }

  function names(root: StateDirectory): string[] {
    const database = new Libsql(databaseFile(root));
    const rows = database.prepare('SELECT name FROM keys').all() as { name: string }[];
    database.close();
    return rows.map(({ name }) => name);
  }

  /** What is beside the lab and its snapshot. */
  const leftovers = (): string[] => readdirSync(scratch).filter((name) => !['lab', 'snapshot'].includes(name));

  it('hold what lasts, for their owner only, and nothing of a lab that runs', () => {
    const { files, regions } = takeSnapshot(directory, snapshot, holdDatabases);
    expect(regions).to.deep.equal(['us-east-1']);
    expect(files.map(({ path }) => path).filter((path) => !path.endsWith('-wal'))).to.deep.equal([
      'authority/authority.json',
      'lab.json',
      'regions/us-east-1/config.json',
      'regions/us-east-1/region.db',
      'regions/us-east-1/user.pin',
    ]);
    for (const { path } of files) expect(statSync(join(snapshot, 'lab', path)).mode & 0o777, path).to.equal(0o600);
    for (const path of [snapshot, join(snapshot, 'lab', 'regions')])
      expect(statSync(path).mode & 0o777).to.equal(0o700);
    expect(leftovers()).to.deep.equal([]);
  });

  it('bring a lab back as it was, also what was not in the database file yet', () => {
    const writer = new Libsql(databaseFile());
    writer.exec("INSERT INTO keys VALUES ('in the log')");
    takeSnapshot(directory, snapshot, holdDatabases);
    writer.exec("INSERT INTO keys VALUES ('too late')");
    writer.close();
    restoreLab(directory, snapshot);
    expect(names(directory)).to.deep.equal(['old', 'in the log']);
    expect(directory.lockHolder()).to.equal(undefined);
    expect(existsSync(directory.lockFile)).to.equal(false);
    expect(leftovers()).to.deep.equal([]);
  });

  it('bring it back in another directory, with the paths of that one', () => {
    takeSnapshot(directory, snapshot, holdDatabases);
    const other = new StateDirectory(join(scratch, 'deep', 'other'));
    restoreLab(other, snapshot);
    expect(JSON.parse(readFileSync(other.regionConfig('us-east-1'), 'utf8'))).to.deep.equal(configOf(other.root));
    const authority = readFileSync(join(other.authority, 'authority.json'), 'utf8');
    expect(authority).to.contain(join(other.authority, 'token')).and.not.to.contain(directory.authority);
    expect(names(other)).to.deep.equal(['old']);
    expect(names(directory)).to.deep.equal(['old']);
  });

  it('hold every database at one moment', () => {
    let isHeld = false;
    const hold: HoldDatabases = (paths, work) =>
      holdDatabases(paths, () => {
        const other = new Libsql(databaseFile(), { timeout: 1 });
        expect(() => other.exec("INSERT INTO keys VALUES ('meanwhile')")).to.throw(/locked/u);
        other.close();
        isHeld = true;
        return work();
      });
    takeSnapshot(directory, snapshot, hold);
    expect(isHeld).to.equal(true);
    const after = new Libsql(databaseFile());
    after.exec("INSERT INTO keys VALUES ('afterwards')");
    after.close();
  });

  it('are made while the lab runs, and not restored then', () => {
    const unlock = directory.lock();
    takeSnapshot(directory, snapshot, holdDatabases);
    expect(refusalOf(() => restoreLab(directory, snapshot))).to.match(/^A lab is running/u);
    expect(directory.lockHolder()).to.equal(process.pid);
    unlock();
  });

  it('do not take the place of anything, nor of a directory with files of somebody else', () => {
    expect(refusalOf(() => takeSnapshot(directory, join(directory.root, 'x'), holdDatabases))).to.match(
      /inside the lab/u,
    );
    expect(refusalOf(() => takeSnapshot(new StateDirectory(scratch), snapshot, holdDatabases))).to.match(
      /holds no lab/u,
    );
    takeSnapshot(directory, snapshot, holdDatabases);
    expect(refusalOf(() => takeSnapshot(directory, snapshot, holdDatabases))).to.match(/there already/u);
    writeFileSync(join(directory.root, 'lab.yaml'), 'regions: {}');
    expect(refusalOf(() => restoreLab(directory, snapshot))).to.match(/lab\.yaml is not of a lab/u);
    expect(existsSync(join(directory.root, 'lab.yaml'))).to.equal(true);
    expect(leftovers()).to.deep.equal([]);
  });

  for (const [what, damage] of [
    ['a file that was changed', () => appendFileSync(join(snapshot, 'lab', 'lab.json'), ' ')],
    ['a file that is missing', () => rmSync(join(snapshot, 'lab', 'lab.json'))],
    ['no list of its files', () => rmSync(join(snapshot, 'snapshot.json'))],
    ['a path that leads out of it', () => editManifest('"lab.json"', '"../../evil"')],
    ['a path from the root', () => editManifest('"lab.json"', '"/etc/passwd"')],
    ['another format', () => editManifest('"format": 1', '"format": 2')],
  ] as const) {
    it(`are not restored with ${what}, and the lab stays`, () => {
      takeSnapshot(directory, snapshot, holdDatabases);
      damage();
      expect(refusalOf(() => restoreLab(directory, snapshot))).to.not.equal('accepted');
      expect(names(directory)).to.deep.equal(['old']);
      expect(existsSync(directory.lockFile)).to.equal(false);
      expect(leftovers()).to.deep.equal([]);
    });
  }

  function editManifest(from: string, to: string): void {
    const file = join(snapshot, 'snapshot.json');
    const text = readFileSync(file, 'utf8');
    expect(text).to.contain(from);
    writeFileSync(file, text.replace(from, to));
  }

  describe('whose restore was interrupted', () => {
    const restored = (): string => `${directory.root}.restore-new`;
    const replaced = (): string => `${directory.root}.restore-old`;

    /** A lab that can be told from the other one, beside it or in its place. */
    function makeLab(path: string, partition: string): void {
      mkdirSync(path);
      writeFileSync(join(path, 'lab.json'), partition);
    }
    const inPlace = (): string => readFileSync(directory.labFile, 'utf8');

    it('leave the old lab before it made way', () => {
      makeLab(restored(), 'restored');
      settleRestore(directory.root);
      expect(inPlace()).to.contain('111122223333');
      expect(leftovers()).to.deep.equal([]);
    });

    it('leave the restored lab once the old one made way, and afterwards', () => {
      renameSync(directory.root, replaced());
      makeLab(restored(), 'restored');
      settleRestore(directory.root);
      expect(inPlace()).to.equal('restored');
      expect(leftovers()).to.deep.equal([]);

      makeLab(replaced(), 'old');
      settleRestore(directory.root);
      expect(inPlace()).to.equal('restored');
      expect(leftovers()).to.deep.equal([]);
    });

    it('leave no copy of keys that a process has not finished and never will', async () => {
      const ended = spawn('true');
      await once(ended, 'close');
      mkdirSync(`${directory.root}.${ended.pid}.unfinished`);
      mkdirSync(`${directory.root}.${process.pid}.unfinished`);
      settleRestore(directory.root);
      expect(leftovers()).to.deep.equal([`lab.${process.pid}.unfinished`]);
    });

    it('are left alone while another process is at it', async () => {
      const other = spawn('sleep', ['60']);
      try {
        makeLab(restored(), 'restored');
        writeFileSync(join(restored(), 'lock'), JSON.stringify(identityOf(other.pid ?? 0)));
        settleRestore(directory.root);
        expect(existsSync(restored())).to.equal(true);
        renameSync(directory.root, replaced());
        expect(refusalOf(() => settleRestore(directory.root))).to.match(/is being restored/u);
        expect(existsSync(directory.root)).to.equal(false);
      } finally {
        other.kill();
        await once(other, 'close');
      }
      settleRestore(directory.root);
      expect(inPlace()).to.equal('restored');
    });
  });

  it('take no file that a link in the lab leads to', () => {
    const outside = join(scratch, 'outside');
    writeFileSync(outside, 'not of the lab');
    symlinkSync(outside, join(directory.region('us-east-1'), 'link'));
    const { files } = takeSnapshot(directory, snapshot, holdDatabases);
    expect(files.map(({ path }) => path)).to.not.include('regions/us-east-1/link');
  });
});
