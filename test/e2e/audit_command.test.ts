import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { RecordReader, type LabRecord } from '../../src/lab/record_reader.js';
import { StateDirectory } from '../../src/lab/state_directory.js';
import { keyferry, startKeyferry } from '../support/keyferry_command.js';

const ACCOUNT = '111122223333';
const [EAST, WEST] = ['us-east-1', 'eu-west-1'] as const;
const ESCAPES = 'no \u001b[2J\nentry';

function arnOf(region: string, name: string): string {
  return `arn:aws:kms:${region}:${ACCOUNT}:${name}`;
}

/** A line of a trail, `second` seconds after the first. */
function line(region: string, second: number, members: object): string {
  const eventTime = new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString().replace('.000', '');
  return `${JSON.stringify({ eventTime, awsRegion: region, userIdentity: { arn: `arn:aws:iam::${ACCOUNT}:user/alice` }, ...members })}\n`;
}

function about(region: string, ...names: readonly string[]): object {
  return { resources: names.map((name) => ({ ARN: arnOf(region, name) })) };
}

describe('keyferry audit and keyferry events', function () {
  this.timeout(30_000);
  let root: string;
  let directory: StateDirectory;

  before(() => {
    root = mkdtempSync(join(tmpdir(), 'kf-audit-'));
    directory = new StateDirectory(root);
    directory.make([EAST, WEST]);
    directory.writeState({
      supervisor: { pid: 1, started: 'x' },
      startedMs: 1,
      partition: 'aws',
      account: ACCOUNT,
      profile: 'full',
      endpoint: 'http://127.0.0.1:1',
      caFile: null,
      programs: {},
      regions: [EAST, WEST],
    });
    const file = (region: string, name: string): string => join(directory.region(region), name);
    writeFileSync(
      file(EAST, 'trail.jsonl.1'),
      line(EAST, 0, { eventName: 'CreateKey', ...about(EAST, 'key/one') }) +
        line(EAST, 4, { eventName: 'CreateAlias', ...about(EAST, 'alias/mine', 'key/one') }),
    );
    writeFileSync(
      file(EAST, 'trail.jsonl'),
      line(EAST, 6, {
        eventName: 'Decrypt',
        errorCode: 'AccessDenied',
        errorMessage: ESCAPES,
        ...about(EAST, 'key/one'),
      }),
    );
    writeFileSync(
      file(WEST, 'trail.jsonl'),
      line(WEST, 1, { eventName: 'CreateKey', ...about(WEST, 'key/two') }) +
        line(WEST, 5, { eventName: 'Encrypt', requestParameters: { keyId: 'alias/mine' } }) +
        line(WEST, 7, { eventName: 'Encrypt', ...about(WEST, 'key/onerous') }),
    );
    const security = [
      { at: '2026-01-01T00:00:01.500Z', code: 'REPL_DONE', peer: WEST, keyId: 'mrk-1', detail: '' },
      { at: '2026-01-01T00:00:02.500Z', code: 'BAD_SIGNATURE', peer: WEST, keyId: null, detail: 'not his' },
    ];
    writeFileSync(file(EAST, 'audit.jsonl'), security.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
    const event = {
      time: '2026-01-01T00:00:09Z',
      'detail-type': 'KMS CMK Rotation',
      resources: [arnOf(EAST, 'key/one')],
      detail: { 'key-id': 'one', 'rotation-type': 'ON_DEMAND' },
    };
    writeFileSync(file(EAST, 'events.jsonl'), `${JSON.stringify(event)}\n`);
    // The clock of this region is moved to where its events are about an hour old.
    writeFileSync(file(WEST, 'clock.json'), String(Date.UTC(2026, 0, 1, 1) - Date.now()));
  });
  after(() => rmSync(root, { recursive: true }));

  async function run(command: string, ...args: readonly string[]): Promise<readonly string[]> {
    const { status, stdout, stderr } = await keyferry(command, '--dir', root, ...args);
    expect(status, stderr).to.equal(0);
    return stdout.split('\n').slice(0, -1);
  }

  /** Names and regions, by the JSON lines. */
  async function names(...args: readonly string[]): Promise<readonly string[]> {
    const lines = await run('audit', '--json', ...args);
    return lines.map((text) => {
      const { eventName, region } = JSON.parse(text);
      return `${eventName} ${region}`;
    });
  }

  it('shows the trails of all regions in the order of time, a line each, for people', async () => {
    expect(await run('audit')).to.deep.equal([
      '2026-01-01 00:00:00Z us-east-1      CreateKey                  user/alice one',
      '2026-01-01 00:00:01Z eu-west-1      CreateKey                  user/alice two',
      '2026-01-01 00:00:04Z us-east-1      CreateAlias                user/alice alias/mine one',
      '2026-01-01 00:00:05Z eu-west-1      Encrypt                    user/alice alias/mine',
      // What a client wrote can do nothing to a terminal.
      '2026-01-01 00:00:06Z us-east-1      Decrypt                    user/alice one AccessDenied no  [2J entry',
      '2026-01-01 00:00:07Z eu-west-1      Encrypt                    user/alice onerous',
    ]);
  });

  it('shows what was asked for, and says when there is more', async () => {
    const { stdout, stderr } = await keyferry('audit', '--dir', root, '--last', '1');
    expect(stdout).to.contain('onerous').and.to.not.contain('Decrypt');
    expect(stderr).to.contain('the last 1 of more');
    expect(await names('--region', EAST)).to.deep.equal([
      `CreateKey ${EAST}`,
      `CreateAlias ${EAST}`,
      `Decrypt ${EAST}`,
    ]);
    expect(await names('--key', 'one', '--errors')).to.deep.equal([`Decrypt ${EAST}`]);
    expect(await names('--all', '--event', 'CreateKey')).to.deep.equal([`CreateKey ${EAST}`, `CreateKey ${WEST}`]);
  });

  it('lets records be found by key, alias and time, by the clock of their region', async () => {
    const reader = (matches: (record: LabRecord) => boolean): RecordReader =>
      new RecordReader(directory, { regions: [EAST, WEST], kind: 'trail', filter: { texts: [], matches } });
    const { records, isCut } = await reader(({ region }) => region === WEST).last(2);
    expect(records.map(({ value }) => value['eventName'])).to.deep.equal(['Encrypt', 'Encrypt']);
    expect(isCut).to.equal(true);
    const mine = [`CreateAlias ${EAST}`, `Encrypt ${WEST}`];
    expect(await names('--key', 'alias/mine')).to.deep.equal(mine);
    const since = ['--since', '2026-01-01T00:00:04Z', '--until', '2026-01-01T00:00:06Z'];
    expect(await names(...since)).to.deep.equal([...mine, `Decrypt ${EAST}`]);
    // The other region's clock is not moved: there it is long ago.
    expect(await names('--since', '2h', '--until', '30m', '--region', WEST)).to.have.length(3);
    expect(await names('--since', '30m')).to.deep.equal([]);
  });

  it('shows the security audit, and events of keys', async () => {
    expect(await run('audit', '--security')).to.deep.equal([
      '2026-01-01 00:00:01Z us-east-1      REPL_DONE with eu-west-1 mrk-1',
      '2026-01-01 00:00:02Z us-east-1      BAD_SIGNATURE with eu-west-1 not his',
    ]);
    expect(await run('audit', '--security', '--errors')).to.have.length(1);
    expect(await run('events')).to.deep.equal([
      '2026-01-01 00:00:09Z us-east-1      KMS CMK Rotation one rotation-type ON_DEMAND',
    ]);
    expect(await run('events', '--key', 'none')).to.deep.equal([]);
  });

  it('refuses regions that are not there, places without a lab, and options that mean nothing', async () => {
    const refusal = async (...args: readonly string[]): Promise<string> => (await keyferry(...args)).stderr;
    expect(await refusal('audit', '--dir', root, '--region', 'us-east-2')).to.contain('choose one of us-east-1');
    expect(await refusal('audit', '--dir', join(root, 'none'))).to.contain('ERR_LAB_NOT_RUNNING');
    expect(await refusal('audit', '--dir', root, '--since', 'yesterday')).to.contain('A time is written');
    expect(await refusal('audit', '--dir', root, '--last', '0')).to.contain('From 1 to');
  });

  it('goes on with what happens in any region until it is stopped', async () => {
    const following = startKeyferry(['audit', '--dir', root, '--follow', '--last', '1', '--errors']);
    expect(await following.firstLine).to.contain('AccessDenied');
    appendFileSync(
      join(directory.region(WEST), 'trail.jsonl'),
      line(WEST, 20, { eventName: 'ListKeys' }) +
        line(WEST, 21, { eventName: 'GetKeyPolicy', errorCode: 'NotFoundException' }),
    );
    await new Promise<void>((resolve) => {
      following.child.stdout?.on('data', (text: string) => {
        if (text.includes('NotFoundException')) resolve();
      });
    });
    following.child.kill('SIGINT');
    const { status, stdout, stderr } = await following.ended;
    expect(stderr).to.equal('');
    expect(status).to.equal(0);
    expect(stdout.split('\n')).to.have.length(3);
  });
});
