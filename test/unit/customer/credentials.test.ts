import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { resolveEndpoint } from '../../../src/customer/credentials.js';
import { CeremonyError } from '../../../src/customer/errors.js';
import { thrown } from '../../support/failure.js';

describe('the endpoint of an import', () => {
  let directory: string;
  let files: Readonly<Record<string, string>>;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'kf-aws-'));
    const config = join(directory, 'config');
    const credentials = join(directory, 'credentials');
    writeFileSync(
      config,
      '[default]\nregion = eu-west-3\n# a remark = none\n[profile work]\nregion=eu-central-1\nendpoint_url = http://127.0.0.1:9\ns3 =\n  region = us-west-2\n',
    );
    writeFileSync(
      credentials,
      '[default]\naws_access_key_id = AKID\naws_secret_access_key = a=b/c+\n[work]\naws_access_key_id = ASIA\naws_secret_access_key = s\naws_session_token = t\n',
    );
    files = { AWS_CONFIG_FILE: config, AWS_SHARED_CREDENTIALS_FILE: credentials };
  });
  after(() => rmSync(directory, { recursive: true }));

  it('is the service’s own in the profile’s region where nothing else is set', () => {
    const { url, region, key } = resolveEndpoint({}, files);
    expect(url.href).to.equal('https://kms.eu-west-3.amazonaws.com/');
    expect(region).to.equal('eu-west-3');
    expect(key).to.deep.equal({ accessKeyId: 'AKID', secretAccessKey: 'a=b/c+' });
  });

  it('comes from the profile that is named, with its session token', () => {
    const { url, region, key } = resolveEndpoint(
      { profile: 'work' },
      { ...files, AWS_ACCESS_KEY_ID: 'no', AWS_SECRET_ACCESS_KEY: 'no' },
    );
    expect(url.origin).to.equal('http://127.0.0.1:9');
    expect(region).to.equal('eu-central-1');
    expect(key).to.deep.equal({ accessKeyId: 'ASIA', secretAccessKey: 's', sessionToken: 't' });
  });

  it('takes the environment before the files, the key’s ARN before the environment, and the command line before all', () => {
    const environment = {
      ...files,
      AWS_PROFILE: 'work',
      AWS_REGION: 'us-west-1',
      AWS_ENDPOINT_URL: 'https://any.example',
      AWS_ENDPOINT_URL_KMS: 'https://kms.example',
      AWS_ACCESS_KEY_ID: 'ENV',
      AWS_SECRET_ACCESS_KEY: 'secret',
    };
    const fromEnvironment = resolveEndpoint({}, environment);
    expect(fromEnvironment.url.href).to.equal('https://kms.example/');
    expect(fromEnvironment.region).to.equal('us-west-1');
    expect(fromEnvironment.key.accessKeyId).to.equal('ENV');
    expect(resolveEndpoint({ keyRegion: 'ap-south-1' }, environment).region).to.equal('ap-south-1');
    const said = resolveEndpoint(
      { keyRegion: 'ap-south-1', region: 'sa-east-1', endpoint: 'https://said.example' },
      environment,
    );
    expect([said.region, said.url.hostname]).to.deep.equal(['sa-east-1', 'said.example']);
  });

  it('must have TLS where it is not on this machine, unless that is waived', () => {
    const endpoint = 'http://kms.example:8080';
    expect(thrown(CeremonyError, () => resolveEndpoint({ endpoint }, files)).message).to.contain(
      'exchange the wrapping key',
    );
    expect(resolveEndpoint({ endpoint, allowHttp: true }, files).url.host).to.equal('kms.example:8080');
    expect(resolveEndpoint({ endpoint: 'http://localhost:1' }, files).url.port).to.equal('1');
  });

  it('is refused without region or credentials, with the way to them', () => {
    const nothing = { AWS_CONFIG_FILE: join(directory, 'none'), AWS_SHARED_CREDENTIALS_FILE: join(directory, 'none') };
    expect(thrown(CeremonyError, () => resolveEndpoint({}, nothing)).remedy).to.contain('--region');
    expect(thrown(CeremonyError, () => resolveEndpoint({ region: 'us-east-1' }, nothing)).remedy).to.contain(
      'export-credentials',
    );
    expect(thrown(CeremonyError, () => resolveEndpoint({ region: 'us east' }, files)).message).to.contain('no region');
  });
});
