import { expect } from 'chai';
import { readablePayload } from '../../../src/console/readable_payload.js';
import type { MessageRow } from '../../../src/console/replication_form.js';
import { ReplicationHistory } from '../../../src/console/replication_history.js';
import type { ObservedMessage } from '../../../src/lab/observed_message.js';
import type { RegionEvent, TraceEntry } from '../../../src/lab/trace_reader.js';
import { LIMITS } from '../../../src/limits.js';

const [SOURCE, DESTINATION] = ['us-east-1', 'eu-west-1'] as const;

function atProxy(
  atMs: number,
  event: string,
  about: { readonly number: number; readonly label?: string; readonly id?: string; readonly wrong?: string },
): TraceEntry {
  const { number, label = 'M0', id = label, wrong = 'ok' } = about;
  const isOfSource = ['M0', 'M2', 'M4'].includes(label);
  const message = {
    label,
    issuer: isOfSource ? SOURCE : DESTINATION,
    destination: isOfSource ? DESTINATION : SOURCE,
    sid: label === 'M0' ? null : 'sid',
    messageId: id,
    prev: label === 'M1' ? 'M0' : null,
    keyIds: ['mrk-1'],
    kid: 'kid',
    typ: 'typ',
    signer: null,
    octets: 100,
    verification: wrong,
    message: null,
    payload: label === 'M1' ? { prev: 'M0' } : {},
  } satisfies ObservedMessage;
  return { where: 'proxy', atMs, event, number, detail: null, message };
}

function inRegion(region: string, event: RegionEvent, offsetMs = 0): TraceEntry {
  return { where: 'region', atMs: event.atMs, offsetMs, region, event };
}

const received = (atMs: number, messageId: string, verification: string): TraceEntry =>
  inRegion(DESTINATION, {
    kind: 'received',
    atMs,
    label: 'M0',
    peer: SOURCE,
    sid: null,
    keyIds: [],
    kid: null,
    octets: 100,
    messageId,
    payload: {},
    verification,
  });

const token = (atMs: number, region: string, step: 'agree' | 'unwrap' | 'generateAgreementKey'): TraceEntry =>
  inRegion(region, {
    kind: 'token',
    atMs,
    step,
    sid: 'sid',
    strategy: 'strategy',
    mechanism: null,
    microseconds: 5,
    outcome: 'ok',
  });

const session = (atMs: number, region: string, state: string, code: string | null = null): TraceEntry =>
  inRegion(region, {
    kind: 'session',
    atMs,
    role: region === SOURCE ? 'source' : 'destination',
    sid: 'sid',
    intent: 'M0',
    peer: region === SOURCE ? DESTINATION : SOURCE,
    keyIds: ['mrk-1'],
    state,
    code,
  });

const messagesOf = (history: ReplicationHistory): readonly MessageRow[] =>
  (history.find('M0')?.rows ?? []).filter((row): row is MessageRow => row.kind === 'message');

describe('the history of replications', () => {
  let history: ReplicationHistory;

  beforeEach(() => {
    history = new ReplicationHistory();
  });

  it('puts what the proxy and both regions say into one replication, in whatever order they say it', () => {
    // The destination’s steps are heard of before anybody knows of which replication they are.
    history.take([token(20, DESTINATION, 'generateAgreementKey')]);
    expect(history.list()).to.have.lengthOf(0);
    history.take([atProxy(10, 'accepted', { number: 1 }), atProxy(30, 'accepted', { number: 2, label: 'M1' })]);
    history.take([token(40, SOURCE, 'agree'), token(50, DESTINATION, 'unwrap'), session(60, DESTINATION, 'INSTALLED')]);
    expect(history.take([session(70, SOURCE, 'DONE')])).to.deep.equal(new Set(['M0']));
    const [summary] = history.list();
    expect(summary).to.include({ id: 'M0', source: SOURCE, destination: DESTINATION, state: 'done' });
    expect([summary?.startedMs, summary?.endedMs, summary?.messages]).to.deep.equal([10, 60, 2]);
    const rows = history.find('M0')?.rows ?? [];
    expect(rows.map(({ step, kind }) => `${step} ${kind}`)).to.deep.equal([
      '0 message',
      '1 token',
      '1 message',
      '2 token',
      '5 token',
      '5 state',
      '5 state',
    ]);
  });

  it('goes by the machine’s time, however far the clock of a region was moved', () => {
    const moved = 86_400_000;
    history.take([atProxy(10, 'accepted', { number: 1 })]);
    const { event } = session(20 + moved, SOURCE, 'DONE') as Extract<TraceEntry, { where: 'region' }>;
    history.take([inRegion(SOURCE, event, moved)]);
    expect(history.list()[0]?.endedMs).to.equal(20);
  });

  it('connects a refusal with the message that was altered, and takes nothing of it for a replication', () => {
    history.take([
      atProxy(10, 'accepted', { number: 1 }),
      atProxy(11, 'altered', { number: 1, id: 'x', wrong: 'SIG' }),
    ]);
    const audit = {
      kind: 'audit' as const,
      atMs: 20,
      code: 'SIG_INVALID',
      sid: null,
      kid: null,
      peer: null,
      keyId: null,
      detail: 'no',
    };
    history.take([inRegion(DESTINATION, audit), received(21, 'x', 'SIG_INVALID')]);
    expect(history.list().map(({ id }) => id)).to.deep.equal(['M0']);
    expect(history.list()[0]?.troubles).to.equal(1);
    expect(messagesOf(history)[0]?.received).to.deep.equal([{ atMs: 21, verification: 'SIG_INVALID' }]);
    // The same message, sent again, is another row: what is said of it is not said of the altered one.
    history.take([atProxy(30, 'accepted', { number: 2 }), received(31, 'M0', 'ok')]);
    expect(messagesOf(history).map((row) => row.received.map(({ verification }) => verification))).to.deep.equal([
      ['SIG_INVALID'],
      ['ok'],
    ]);
    const codes = history.find('M0')?.rows.flatMap((row) => (row.kind === 'audit' ? [row.code] : []));
    expect(codes).to.deep.equal(['SIG_INVALID']);
  });

  it('gives what came to the copy that was not lost', () => {
    history.take([
      atProxy(10, 'accepted', { number: 1 }),
      atProxy(10, 'lost', { number: 1 }),
      atProxy(20, 'accepted', { number: 2 }),
      atProxy(30, 'acknowledged', { number: 2 }),
      received(25, 'M0', 'ok'),
    ]);
    expect(messagesOf(history).map((row) => [row.number, row.received.length, row.acknowledgedMs])).to.deep.equal([
      [1, 0, null],
      [2, 1, 30],
    ]);
  });

  it('is not done because of a message that does not verify', () => {
    history.take([atProxy(10, 'accepted', { number: 1 }), session(20, SOURCE, 'SENT')]);
    history.take([atProxy(30, 'accepted', { number: 2, label: 'M4', wrong: 'SIG_INVALID' })]);
    expect(history.list()[0]?.state).to.equal('running');
    history.take([session(40, SOURCE, 'ABORTED', 'TIMEOUT')]);
    expect(history.list()[0]).to.include({ state: 'ended', code: 'TIMEOUT' });
  });

  it('forgets the oldest where there are too many', () => {
    const max = LIMITS.consoleReplicationsMax;
    history.take(
      Array.from({ length: max + 5 }, (_, at) => atProxy(at, 'accepted', { number: at + 1, id: `M0-${at}` })),
    );
    expect(history.list()).to.have.lengthOf(max);
    expect([history.find('M0-4'), history.find('M0-5')?.id]).to.deep.equal([undefined, 'M0-5']);
  });
});

describe('a payload as people read it', () => {
  it('has wrapped material as its length and hash, and the documents within it decoded', () => {
    const blob = Buffer.from('wrapped octets of a key').toString('base64url');
    const ctx = Buffer.from(JSON.stringify({ keyId: 'mrk-1' })).toString('base64url');
    const read = readablePayload({ v: 1, keys: [{ ctx, wrapped: [{ len: 32, blob }], birthCert: 'no JWS' }] });
    expect(JSON.stringify(read)).to.not.contain(blob);
    expect(read).to.deep.equal({
      v: 1,
      keys: [
        {
          ctx: { keyId: 'mrk-1' },
          wrapped: [
            {
              len: 32,
              blob: { octets: 23, sha256: '1a8e0041712f58074dbc1f6d8a273fb395030edd232a312dbbf9b6285142f891' },
            },
          ],
          birthCert: 'no JWS',
        },
      ],
    });
    expect(readablePayload(null)).to.equal(null);
  });
});
