import { createPrivateKey, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { KeyferryError } from '../../../src/errors.js';
import {
  PartitionAuthority,
  readAuthority,
  readRosters,
  type OpenAuthoritySigner,
} from '../../../src/lab/authority.js';
import { planToken } from '../../../src/lab/region_plan.js';
import { requestEnrolment } from '../../../src/replication/enrolment.js';
import { thumbprint, type PublicJwk } from '../../../src/wire/p384.js';

interface Pair {
  readonly jwk: PublicJwk;
  readonly privateKey: KeyObject;
}

const makePair = (): Pair => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
  return {
    jwk: { kty: 'EC', crv: 'P-384', x, y },
    privateKey: createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' })),
  };
};
const signWith = (pair: Pair, octets: Uint8Array): Uint8Array =>
  sign('sha384', octets, { key: pair.privateKey, dsaEncoding: 'ieee-p1363' });

describe('PartitionAuthority', () => {
  let directory: string;
  let pair: Pair;
  let open: OpenAuthoritySigner;
  let authority: PartitionAuthority;
  const token = planToken({ module: 'softhsm2' }, { directory: '/nowhere', label: 'authority' });

  const request = (region: string, options: { challenge: string; rsk?: Pair; partition?: string }): Promise<string> => {
    const rsk = options.rsk ?? makePair();
    return requestEnrolment(
      {
        partition: options.partition ?? 'aws',
        region,
        jwk: rsk.jwk,
        challenge: Buffer.from(options.challenge, 'base64url'),
        suites: ['CBCDERIVE-A256KWP'],
        dataSuites: ['CBCDATA-GCM'],
        fingerprint: 'a token',
        missing: [],
      },
      async (_kid, octets) => signWith(rsk, octets),
    );
  };
  const refusalOf = async (work: Promise<unknown>): Promise<string> => {
    try {
      await work;
    } catch (error) {
      if (error instanceof KeyferryError) return `${error.code} ${error.message}`;
      throw error;
    }
    return 'accepted';
  };

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'kf-authority-'));
    pair = makePair();
    open = async () => ({
      key: { kid: thumbprint(pair.jwk), jwk: pair.jwk },
      sign: async (octets) => signWith(pair, octets),
      random: async (octets) => new Uint8Array(randomBytes(octets)),
      close: async () => undefined,
    });
    authority = await PartitionAuthority.init({ directory, partition: 'aws', token }, open);
  });

  afterEach(() => rmSync(directory, { recursive: true }));

  it('is there after a second init as it was, and not for another partition', async () => {
    const again = await PartitionAuthority.init({ directory, partition: 'aws', token }, open);
    expect(again.kid).to.equal(authority.kid);
    expect(readAuthority(directory)).to.deep.equal({ partition: 'aws', kid: authority.kid });
    expect(await refusalOf(PartitionAuthority.init({ directory, partition: 'aws-cn', token }, open))).to.match(
      /ERR_CONFIG_STATE/u,
    );
  });

  it('lists regions in one roster, the next one naming it, and reads both back without its token', async () => {
    const [a, b] = [await authority.challenge('us-east-1'), await authority.challenge('eu-west-1')];
    await authority.enrol({
      'us-east-1': await request('us-east-1', { challenge: a }),
      'eu-west-1': await request('eu-west-1', { challenge: b }),
    });
    const rsk = makePair();
    const next = await authority.enrol({
      'us-east-1': await request('us-east-1', { challenge: await authority.challenge('us-east-1'), rsk }),
    });
    const rosters = readRosters(directory, { partition: 'aws', kid: authority.kid });
    expect(rosters.map(({ epoch, prevRosterHash }) => [epoch, prevRosterHash])).to.deep.equal([
      [1n, null],
      [2n, rosters[0]?.hash],
    ]);
    expect(next.regions.find(({ region }) => region === 'us-east-1')?.rsk.map(({ state }) => state)).to.deep.equal([
      'active',
      'pending',
    ]);
    expect((await PartitionAuthority.open(directory, open)).roster?.hash).to.equal(next.hash);
  });

  it('takes an answer to its newest challenge of that region only, and takes it once', async () => {
    const old = await authority.challenge('us-east-1');
    const challenge = await authority.challenge('us-east-1');
    const other = await authority.challenge('eu-west-1');
    const enrol = (region: string, compact: string): Promise<string> =>
      refusalOf(authority.enrol({ [region]: compact }));
    expect(await enrol('us-east-1', await request('us-east-1', { challenge: old }))).to.match(/PREV/u);
    expect(await enrol('us-east-1', await request('us-east-1', { challenge: other }))).to.match(/PREV/u);
    expect(await enrol('us-east-1', await request('us-east-1', { challenge, partition: 'aws-cn' }))).to.match(
      /PARTITION/u,
    );
    expect(await enrol('us-east-1', await request('eu-west-1', { challenge }))).to.match(/is of eu-west-1/u);
    expect(await enrol('ap-south-1', await request('ap-south-1', { challenge }))).to.match(/No challenge is out/u);
    expect(await enrol('../authority', 'x')).to.match(/no name of a region/u);
    const good = await request('us-east-1', { challenge });
    expect(await enrol('us-east-1', good)).to.equal('accepted');
    expect(await enrol('us-east-1', good)).to.match(/No challenge is out/u);
    expect(authority.rosters).to.have.length(1);
  });

  it('refuses a file of rosters that somebody has changed, and a token with another key', async () => {
    const challenge = await authority.challenge('us-east-1');
    await authority.enrol({ 'us-east-1': await request('us-east-1', { challenge }) });
    const file = join(directory, 'rosters.jws');
    const text = readFileSync(file, 'utf8');
    writeFileSync(
      file,
      text.replace(/\.(.)/u, (_, letter: string) => `.${letter === 'e' ? 'f' : 'e'}`),
    );
    expect(await refusalOf(PartitionAuthority.open(directory, open))).to.match(/rosters\.jws:1: /u);
    writeFileSync(file, text);
    pair = makePair();
    expect(await refusalOf(PartitionAuthority.open(directory, open))).to.match(/holds the authority key/u);
  });
});
