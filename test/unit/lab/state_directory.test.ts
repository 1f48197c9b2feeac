import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { ConfigError } from '../../../src/errors.js';
import { identityOf, isRunning } from '../../../src/lab/process_identity.js';
import { StateDirectory, type LabState } from '../../../src/lab/state_directory.js';

const codeOf = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    if (error instanceof ConfigError) return error.code;
    throw error;
  }
  return 'accepted';
};

describe('the state directory of a lab', () => {
  let root: string;
  let directory: StateDirectory;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'kf-state-'));
    directory = new StateDirectory(join(root, 'lab'));
    directory.make(['us-east-1']);
  });

  afterEach(() => rmSync(root, { recursive: true }));

  it('can be entered by its user only, also where it was there with other rights', () => {
    for (const path of [directory.root, directory.authority, directory.region('us-east-1'), directory.proxy]) {
      expect(statSync(path).mode & 0o777, path).to.equal(0o700);
    }
  });

  it('belongs to one process at a time', () => {
    const unlock = directory.lock();
    expect(directory.lockHolder()).to.equal(process.pid);
    expect(codeOf(() => directory.lock())).to.equal('ERR_CONFIG_STATE');
    unlock();
    expect(directory.lockHolder()).to.equal(undefined);
    directory.lock()();
  });

  it('is free again when the process that had it has ended, whatever has its number now', async () => {
    const child = spawn(process.execPath, ['-e', '']);
    const ended = identityOf(child.pid ?? 0);
    await new Promise((resolve) => child.once('exit', resolve));
    for (const stale of [ended, { pid: process.pid, started: 'of another boot' }, 'nonsense']) {
      writeFileSync(directory.lockFile, JSON.stringify(stale));
      expect(directory.lockHolder()).to.equal(undefined);
      directory.lock()();
      expect(existsSync(directory.lockFile)).to.equal(false);
    }
  });

  it('is refused where its path would be too long for a socket', () => {
    const deep = new StateDirectory(join(root, 'd'.repeat(90)));
    expect(codeOf(() => deep.make(['us-east-1']))).to.equal('ERR_CONFIG_STATE');
    expect(existsSync(deep.root)).to.equal(false);
  });

  it('reads the state that it wrote, and refuses another form', () => {
    expect(directory.readState()).to.equal(undefined);
    const state: LabState = {
      supervisor: { pid: 1, started: 'x' },
      startedMs: 1,
      partition: 'aws',
      account: '111122223333',
      profile: 'full',
      endpoint: 'http://127.0.0.1:1',
      caFile: null,
      programs: { proxy: { url: 'http://127.0.0.1:2', process: null, state: 'stopped', restarts: 2, problem: null } },
      regions: ['us-east-1'],
    };
    directory.writeState(state);
    expect(directory.readState()).to.deep.equal(state);
    expect(statSync(directory.stateFile).mode & 0o777).to.equal(0o600);
    writeFileSync(directory.stateFile, '{"supervisor": 1}');
    expect(codeOf(() => directory.readState())).to.equal('ERR_CONFIG_FILE');
  });
});

describe('the identity of a process', () => {
  it('tells a running process from one that has ended, and from another of the same number', async () => {
    const own = identityOf(process.pid);
    expect(own === undefined ? false : isRunning(own)).to.equal(true);
    expect(isRunning({ pid: process.pid, started: 'at another time' })).to.equal(false);
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    const identity = identityOf(child.pid ?? 0);
    expect(identity === undefined ? false : isRunning(identity)).to.equal(true);
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
    expect(identity === undefined ? true : isRunning(identity)).to.equal(false);
  });
});
