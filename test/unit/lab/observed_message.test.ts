import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { expect } from 'chai';
import { observeMessage } from '../../../src/lab/observed_message.js';
import { TraceFilter, type TraceEntry } from '../../../src/lab/trace_reader.js';
import { issueRoster } from '../../../src/replication/authority.js';
import type { Roster } from '../../../src/replication/roster.js';
import { signJws, type JsonInput } from '../../../src/wire/jws.js';
import { thumbprint, type PublicJwk } from '../../../src/wire/p384.js';

interface Pair {
  readonly jwk: PublicJwk;
  readonly kid: string;
  readonly privateKey: KeyObject;
}

function makePair(): Pair {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
  const jwk: PublicJwk = { kty: 'EC', crv: 'P-384', x, y };
  return { jwk, privateKey, kid: thumbprint(jwk) };
}

function signWith({ privateKey }: Pair, octets: Uint8Array): Uint8Array {
  return sign('sha384', octets, { key: privateKey, dsaEncoding: 'ieee-p1363' });
}

const hash = Buffer.alloc(48, 7).toString('base64url');
const sid = Buffer.alloc(32, 9).toString('base64url');

describe('a message that crossed the proxy', () => {
  const [authority, east, west] = [makePair(), makePair(), makePair()];
  let rosters: readonly Roster[];

  const query = async (signer: Pair, members: Readonly<Record<string, JsonInput>> = {}): Promise<Buffer> => {
    const envelope = {
      v: 1,
      t: 'mrkr1-query+jws',
      part: 'aws',
      sid,
      seq: 6,
      iss: 'us-east-1',
      dst: 'eu-west-1',
      role: 'S',
    };
    const rest = { epoch: '1', rosterHash: hash, prev: hash, iat: 1, exp: 2, intent: hash };
    const payload = { ...envelope, ...rest, ...members };
    const header = { kid: signer.kid, typ: 'mrkr1-query+jws' };
    return Buffer.from(await signJws(header, payload, async (_kid, octets) => signWith(signer, octets)));
  };

  before(async () => {
    const enrolment = (region: string, { jwk }: Pair) => ({
      change: 'enrol' as const,
      suiteFloor: 'CBCDERIVE-A256KWP' as const,
      enrolment: {
        partition: 'aws',
        region,
        jwk,
        challenge: '',
        suites: [],
        dataSuites: [],
        fingerprint: 'x',
        missing: [],
      },
    });
    const issue = (previous: Roster | null, changes: Parameters<typeof issueRoster>[0]['changes']): Promise<Roster> =>
      issueRoster({
        previous,
        partition: 'aws',
        authority: authority.jwk,
        changes,
        sign: async (_kid, octets) => signWith(authority, octets),
      });
    const first = await issue(null, [enrolment('us-east-1', east), enrolment('eu-west-1', west)]);
    rosters = [first, await issue(first, [{ change: 'revoke-rsk', region: 'eu-west-1', kid: west.kid }])];
  });

  it('is decoded and verified by the roster that lists its key', async () => {
    const seen = observeMessage(await query(east), rosters);
    expect(seen).to.include({
      label: 'MQ',
      issuer: 'us-east-1',
      destination: 'eu-west-1',
      sid,
      kid: east.kid,
      verification: 'ok',
    });
  });

  it('is shown with what is wrong with it where it does not verify', async () => {
    const good = await query(east);
    const verdict = (octets: Uint8Array): string => observeMessage(octets, rosters).verification.split(':')[0] ?? '';
    const tampered = Buffer.from(good);
    tampered[good.length - 20] = good[good.length - 20] === 65 ? 66 : 65;
    expect(verdict(tampered)).to.equal('SIG_INVALID');
    expect(verdict(await query(west, { iss: 'eu-west-1', dst: 'us-east-1' }))).to.equal('KID_STATE');
    expect(verdict(await query(east, { iss: 'eu-west-1', dst: 'us-east-1' }))).to.equal('KID_REGION');
    expect(verdict(await query(makePair()))).to.equal('KID_STATE');
    expect(verdict(Buffer.from('no message at all'))).to.equal('ENCODING');
    expect(observeMessage(await query(east, { intent: 5 }), rosters).message).to.equal(null);
  });

  it('is told apart from a message of the seed profile, of which only the step inside is signed', async () => {
    const step = await signJws({ kid: east.kid, typ: 'mrkr1-seed-offer+jws' }, { rakb: 'x' }, async (_kid, octets) =>
      signWith(east, octets),
    );
    const framed = (kind: string, jws: string): Buffer =>
      Buffer.from(['seed', kind, 'mrk-1', 'us-east-1', jws, '-', '-'].join(' '));
    const offer = observeMessage(framed('offer', step), rosters);
    expect(offer).to.include({ label: 'seed offer', issuer: 'us-east-1', kid: east.kid, verification: 'ok' });
    expect(offer.keyIds).to.deep.equal(['mrk-1']);
    expect(observeMessage(framed('order', '-'), rosters).verification).to.equal('unsigned');
    const altered = step.slice(0, -4) + (step.endsWith('AAAA') ? 'BBBB' : 'AAAA');
    expect(observeMessage(framed('offer', altered), rosters).verification).to.match(/^SIG_INVALID/u);
  });

  it('is found by the session or the key that it belongs to, an intent by the offer that answers it', () => {
    const entry = (
      label: string,
      fields: { sid?: string; messageId?: string; prev?: string; keyIds?: string[] },
    ): TraceEntry => ({
      where: 'proxy',
      atMs: 1,
      event: 'accepted',
      number: 1,
      detail: null,
      message: {
        issuer: null,
        destination: null,
        kid: null,
        typ: null,
        signer: null,
        octets: 1,
        verification: 'ok',
        message: null,
        payload: null,
        sid: null,
        messageId: null,
        prev: null,
        keyIds: [],
        ...fields,
        label,
      },
    });
    const entries = [
      entry('M0', { messageId: 'intent 1', keyIds: ['key 1'] }),
      entry('M0', { messageId: 'intent 2', keyIds: ['key 2'] }),
      entry('M1', { sid: 'session 1', prev: 'intent 1', keyIds: ['key 1'] }),
      entry('M1', { sid: 'session 2', prev: 'intent 2', keyIds: ['key 2'] }),
      entry('M4', { sid: 'session 1' }),
      entry('M4', { sid: 'session 2' }),
    ];
    const found = (wanted: { sid?: string; keyId?: string }): number[] => {
      const filter = new TraceFilter(wanted);
      filter.learn(entries);
      return entries.flatMap((each, index) => (filter.matches(each) ? [index] : []));
    };
    expect(found({ sid: 'session 1' })).to.deep.equal([0, 2, 4]);
    expect(found({ keyId: 'key 2' })).to.deep.equal([1, 3, 5]);
    expect(found({})).to.deep.equal([0, 1, 2, 3, 4, 5]);
    expect(found({ keyId: 'unknown' })).to.deep.equal([]);
  });
});
