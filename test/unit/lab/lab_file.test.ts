import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { ConfigError } from '../../../src/errors.js';
import { defaultLab, parseLabFile, type Lab } from '../../../src/lab/lab_file.js';

const refusal = (text: string): ConfigError => {
  try {
    parseLabFile(text, '/somewhere/lab.yaml');
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('the file was accepted');
};
const lines = (...each: string[]): string => each.join('\n');
const parse = (...each: string[]): Lab => parseLabFile(lines(...each), '/somewhere/lab.yaml');

describe('the lab file', () => {
  it('has a console unless that is off, on a port of the system’s choice where the endpoint is', () => {
    const portOf = (text: string): number | undefined => parseLabFile(text, 'lab.yaml').console?.listen.port;
    expect([
      portOf(''),
      portOf('endpoint: "127.0.0.1:0"'),
      portOf('console: off'),
      portOf('console: false'),
    ]).to.deep.equal([4598, 0, undefined, undefined]);
    expect(portOf('console: { listen: "localhost:4700" }')).to.equal(4700);
  });

  it('may be empty: two regions on SoftHSM2, a proxy and an endpoint on their usual ports', () => {
    const lab = defaultLab();
    expect(
      Object.entries(lab.regions).map(([name, { listen, token }]) => [name, listen.port, token.module]),
    ).to.deep.equal([
      ['us-east-1', 4610, 'softhsm2'],
      ['eu-west-1', 4611, 'softhsm2'],
    ]);
    expect([lab.endpoint.port, lab.proxy.listen.port, lab.partition, lab.account]).to.deep.equal([
      4599,
      4600,
      'aws',
      '111122223333',
    ]);
    expect([lab.profile, lab.hsm.outsideToken, lab.credentials]).to.deep.equal(['full', 'refuse', []]);
  });

  it('can set everything', () => {
    const lab = parse(
      'partition: aws-lab',
      'account: "000000000001"',
      'endpoint: "[::1]:0"',
      'credentials:',
      '  - { accessKeyId: testing, secretAccessKey: testing, principal: "arn:aws:iam::111122223333:root" }',
      'regions:',
      '  us-gov-west-1: { token: { module: nss }, metrics: "127.0.0.1:4611" }',
      '  eu-west-1: { listen: 127.0.0.1:4610, token: { module: ./lib/vendor.so, slot: 3, pin: { file: pins/eu } } }',
      'proxy: { listen: "localhost:0" }',
      'profile: seed',
      'hsm: { outsideToken: allow }',
      'alarmActions: { "arn:aws:sns:us-east-1:000000000001:expiry": "http://127.0.0.1:9000/" }',
      'alarmHosts: [alerts.example.com]',
      'eventWebhooks: ["http://127.0.0.1:9000/events"]',
    );
    expect(lab.endpoint).to.deep.equal({ host: '::1', port: 0 });
    expect(lab.regions['us-gov-west-1']?.listen.port).to.equal(4612);
    expect(lab.regions['us-gov-west-1']?.metrics).to.deep.equal({ host: '127.0.0.1', port: 4611 });
    expect(lab.eventWebhooks).to.deep.equal(['http://127.0.0.1:9000/events']);
    expect(lab.regions['eu-west-1']?.token).to.deep.equal({
      module: '/somewhere/lib/vendor.so',
      slot: 3,
      pin: { file: '/somewhere/pins/eu' },
    });
    expect(lab.credentials[0]?.accessKeyId).to.equal('testing');
    expect(lab.alarmActions).to.deep.equal({ 'arn:aws:sns:us-east-1:000000000001:expiry': 'http://127.0.0.1:9000/' });
    expect(lab.alarmHosts).to.deep.equal(['alerts.example.com']);
    expect([lab.profile, lab.hsm.outsideToken, lab.account]).to.deep.equal(['seed', 'allow', '000000000001']);
  });

  const cases: readonly {
    readonly title: string;
    readonly text: string;
    readonly line: number;
    readonly column: number;
    readonly says: RegExp;
  }[] = [
    {
      title: 'a misspelt member, with what was meant',
      text: lines('partition: aws', 'regoins:', '  us-east-1:'),
      line: 2,
      column: 1,
      says: /"regoins"; did you mean regions\?/u,
    },
    {
      title: 'a misspelt member far inside',
      text: lines('regions:', '  us-east-1:', '    token: { modul: nss }'),
      line: 3,
      column: 14,
      says: /"modul"; did you mean module\?/u,
    },
    {
      title: 'a member that nothing resembles',
      text: 'kubernetes: true',
      line: 1,
      column: 1,
      says: /no member "kubernetes"$/u,
    },
    {
      title: 'an address without a port',
      text: lines('proxy:', '  listen: localhost'),
      line: 2,
      column: 11,
      says: /HOST:PORT/u,
    },
    { title: 'a port that there is not', text: 'endpoint: 127.0.0.1:70000', line: 1, column: 11, says: /HOST:PORT/u },
    { title: 'an account that is a number', text: 'account: 111122223333', line: 1, column: 10, says: /quotes/u },
    {
      title: 'a name that no region has',
      text: lines('regions:', '  Narnia: {}'),
      line: 2,
      column: 3,
      says: /named like us-east-1/u,
    },
    {
      title: 'a topic that is none',
      text: 'alarmActions: { alerts: "http://127.0.0.1/" }',
      line: 1,
      column: 17,
      says: /by its ARN/u,
    },
    {
      title: 'a notification that goes nowhere',
      text: 'alarmActions: { "arn:aws:sns:us-east-1:111122223333:x": "mailto:me" }',
      line: 1,
      column: 57,
      says: /http or https/u,
    },
    { title: 'no regions', text: 'regions: {}', line: 1, column: 10, says: /at least one region/u },
    {
      title: 'the same member twice',
      text: lines('profile: full', 'profile: seed'),
      line: 2,
      column: 1,
      says: /unique/u,
    },
    { title: 'what is not YAML', text: lines('regions: [', 'x'), line: 2, column: 1, says: /flow/iu },
    { title: 'a profile that there is not', text: 'profile: fast', line: 1, column: 10, says: /full.*seed/u },
    {
      title: 'a library without label or slot',
      text: lines('regions:', '  us-east-1: { token: { module: /opt/p11.so, pin: prompt } }'),
      line: 2,
      column: 23,
      says: /label or its slot/u,
    },
    {
      title: 'a token of the user’s own without a PIN source',
      text: lines('regions:', '  us-east-1: { token: { label: mine } }'),
      line: 2,
      column: 23,
      says: /needs a pin/u,
    },
    {
      title: 'a PIN in the file',
      text: lines('regions:', '  us-east-1: { token: { label: mine, pin: "1234" } }'),
      line: 2,
      column: 43,
      says: /never written here/u,
    },
    {
      title: 'a PIN for a token that Keyferry makes',
      text: lines('regions:', '  us-east-1: { token: { pin: prompt } }'),
      line: 2,
      column: 30,
      says: /Keyferry makes this token/u,
    },
    {
      title: 'one address for two regions and the metrics of one of them',
      text: lines(
        'regions:',
        '  us-east-1: { listen: "127.0.0.1:9464" }',
        '  eu-west-1: { metrics: "127.0.0.1:9464" }',
      ),
      line: 3,
      column: 25,
      says: /already the address of us-east-1/u,
    },
    {
      title: 'one address for two programs',
      text: lines('endpoint: 127.0.0.1:4600'),
      line: 1,
      column: 1,
      says: /already the address of the endpoint/u,
    },
    {
      title: 'a console that others can reach',
      text: lines('console: { listen: "0.0.0.0:4598" }'),
      line: 1,
      column: 20,
      says: /served to this machine only/u,
    },
    {
      title: 'a console on the address of another program',
      text: lines('console: { listen: "127.0.0.1:4599" }'),
      line: 1,
      column: 20,
      says: /already the address of the endpoint/u,
    },
    {
      title: 'one access key twice',
      text: lines(
        'credentials:',
        ...Array(2).fill('  - { accessKeyId: key, secretAccessKey: s, principal: "arn:aws:iam::111122223333:root" }'),
      ),
      line: 3,
      column: 20,
      says: /there twice/u,
    },
    {
      title: 'a policy that is none',
      text: lines(
        'credentials:',
        '  - accessKeyId: key',
        '    secretAccessKey: s',
        '    principal: "arn:aws:iam::111122223333:user/alice"',
        '    policy: { Statement: [{ Effect: Allow, Action: kms }] }',
      ),
      line: 5,
      column: 13,
      says: /malformed Action "kms"/u,
    },
    {
      title: 'a policy in a file that is not there',
      text: lines(
        'credentials:',
        '  - { accessKeyId: key, secretAccessKey: s, principal: "arn:aws:iam::111122223333:user/a", policy: no.json }',
      ),
      line: 2,
      column: 100,
      says: /the policy \/somewhere\/no\.json cannot be read/u,
    },
    { title: 'a list instead of a mapping', text: '- a', line: 1, column: 1, says: /object/u },
  ];
  for (const { title, text, line, column, says } of cases) {
    it(`is refused with line and column for ${title}`, () => {
      const error = refusal(text);
      expect(error.code).to.equal('ERR_CONFIG_FILE');
      expect(error.message).to.match(says);
      expect(error.message).to.match(new RegExp(`^/somewhere/lab\\.yaml:${line}:${column}: `, 'u'));
      expect(error.details).to.deep.equal({ file: '/somewhere/lab.yaml', line, column });
    });
  }

  it('takes the policy of a principal as YAML, as JSON and from a file beside it', () => {
    const directory = mkdtempSync(join(tmpdir(), 'keyferry-lab-file-'));
    const policy = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'kms:Encrypt', Resource: '*' }] };
    writeFileSync(join(directory, 'alice.json'), JSON.stringify(policy));
    const key = (id: string, more: string) =>
      `  - { accessKeyId: ${id}, secretAccessKey: s, principal: "arn:aws:iam::111122223333:user/a"${more} }`;
    const { credentials } = parseLabFile(
      lines(
        'credentials:',
        key('yaml', `, policy: ${JSON.stringify(policy)}`),
        key('json', `, policy: ${JSON.stringify(JSON.stringify(policy))}`),
        key('file', ', policy: alice.json'),
        key('none', ''),
      ),
      join(directory, 'lab.yaml'),
    );
    rmSync(directory, { recursive: true });
    expect(credentials.slice(0, 3).map(({ policy: text }) => JSON.parse(text ?? ''))).to.deep.equal([
      policy,
      policy,
      policy,
    ]);
    expect(credentials[3]).not.to.have.property('policy');
  });

  it('takes temporary access keys, which have a session token and may end', () => {
    const key = (more: string) =>
      `  - { accessKeyId: ASIA, secretAccessKey: s, principal: "arn:aws:iam::111122223333:root", ${more} }`;
    const { credentials } = parse('credentials:', key('sessionToken: to/ken==, expires: 2026-12-31T23:59:59+01:00'));
    expect(credentials[0]).to.include({ sessionToken: 'to/ken==', expiresMs: Date.UTC(2026, 11, 31, 22, 59, 59) });
    expect(parse('credentials:', key('sessionToken: x')).credentials[0]).not.to.have.property('expiresMs');
    expect(refusal(lines('credentials:', key('expires: 2026-12-31T23:59:59Z'))).message).to.contain(
      'has a sessionToken',
    );
    expect(refusal(lines('credentials:', key('sessionToken: x, expires: tomorrow'))).message).to.contain(
      '2026-12-31T23:59:59Z',
    );
    expect(refusal(lines('credentials:', key('sessionToken: "a b"'))).message).to.contain('printable ASCII');
  });

  it('names the files of a certificate from where it is itself', () => {
    const { tls } = parse('tls: { certificate: cert.pem, key: ../key.pem, authority: /etc/ca.pem }');
    expect(tls).to.deep.equal({
      certificate: '/somewhere/cert.pem',
      key: '/key.pem',
      authority: '/etc/ca.pem',
    });
    expect(parse('tls: { certificate: cert.pem, key: key.pem }').tls?.authority).to.equal(undefined);
    expect(refusal('tls: { certificate: cert.pem }').message).to.contain('key');
  });

  it('shows several problems at once, each with its place', () => {
    const error = refusal(lines('profile: fast', 'account: "12"'));
    expect(error.message.split('\n').map((each) => each.split(':').slice(1, 3).join(':'))).to.have.members([
      '1:10',
      '2:10',
    ]);
  });
});
