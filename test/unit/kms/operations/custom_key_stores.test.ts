import { expect } from 'chai';
import { makeSoftwareRegion, refusalOf, type SoftwareRegion } from '../../../support/software_region.js';
import { callOverWire } from '../../../support/wire_call.js';

const CLOUD_HSM = {
  CustomKeyStoreName: 'store',
  CloudHsmClusterId: 'cluster-2a23b4cdefg',
  TrustAnchorCertificate: '-----BEGIN CERTIFICATE-----',
  KeyStorePassword: 'password',
};
const EXTERNAL = {
  CustomKeyStoreName: 'store',
  CustomKeyStoreType: 'EXTERNAL_KEY_STORE',
  XksProxyUriEndpoint: 'https://keys.example.com',
  XksProxyUriPath: '/kms/xks/v1',
  XksProxyAuthenticationCredential: { AccessKeyId: 'ABCDEFGHIJKLMNOPQRST', RawSecretAccessKey: 'a'.repeat(43) },
  XksProxyConnectivity: 'PUBLIC_ENDPOINT',
};

describe('Custom key stores', () => {
  let software: SoftwareRegion;
  const refused = (operation: string, request: object): ReturnType<typeof refusalOf> =>
    refusalOf(callOverWire(software.call, operation, request));

  before(() => {
    software = makeSoftwareRegion();
  });
  after(() => software.close());

  it('are none', async () => {
    expect(await callOverWire(software.call, 'DescribeCustomKeyStores', {})).to.deep.equal({
      CustomKeyStores: [],
      Truncated: false,
    });
    expect((await refused('DescribeCustomKeyStores', { Marker: 'x' })).code).to.equal('InvalidMarkerException');
  });

  for (const [operation, request] of [
    ['ConnectCustomKeyStore', {}],
    ['DeleteCustomKeyStore', {}],
    ['DescribeCustomKeyStores', {}],
    ['DisconnectCustomKeyStore', {}],
    ['UpdateCustomKeyStore', { NewCustomKeyStoreName: 'other' }],
    ['GenerateRandom', { NumberOfBytes: 1 }],
    ['CreateKey', { Origin: 'AWS_CLOUDHSM' }],
  ] as const) {
    it(`are not found by ${operation}`, async () => {
      const CustomKeyStoreId = 'cks-1234567890abcdef0';
      expect(await refused(operation, { CustomKeyStoreId, ...request })).to.deep.equal({
        code: 'CustomKeyStoreNotFoundException',
        message: `Custom key store '${CustomKeyStoreId}' does not exist.`,
      });
    });
  }

  for (const [kind, request] of [
    ['CloudHSM', CLOUD_HSM],
    ['external', EXTERNAL],
  ] as const) {
    it(`are not made: ${kind}`, async () => {
      expect(await refused('CreateCustomKeyStore', request)).to.deep.equal({
        code: 'UnsupportedOperationException',
        message: 'Custom key stores are not supported here: every KMS key lives in the PKCS #11 token of its region.',
      });
    });
  }

  it('are not described by two names at once', async () => {
    const request = { CustomKeyStoreId: 'cks-1', CustomKeyStoreName: 'store' };
    expect(await refused('DescribeCustomKeyStores', request)).to.deep.equal({
      code: 'ValidationException',
      message: 'You cannot specify CustomKeyStoreId and CustomKeyStoreName in the same request.',
    });
  });

  const { CloudHsmClusterId: _, ...withoutCluster } = CLOUD_HSM;
  for (const [what, request, message] of [
    ['a cluster', withoutCluster, 'CloudHsmClusterId is required for CustomKeyStoreType AWS_CLOUDHSM.'],
    [
      'members of its own kind',
      { ...EXTERNAL, KeyStorePassword: 'password' },
      'KeyStorePassword is not supported for CustomKeyStoreType EXTERNAL_KEY_STORE.',
    ],
    [
      'the service that it is reached by',
      { ...EXTERNAL, XksProxyConnectivity: 'VPC_ENDPOINT_SERVICE' },
      'XksProxyVpcEndpointServiceName is required for XksProxyConnectivity VPC_ENDPOINT_SERVICE.',
    ],
  ] as const) {
    it(`need ${what} before anything else is said`, async () => {
      expect(await refused('CreateCustomKeyStore', request)).to.deep.equal({ code: 'ValidationException', message });
    });
  }

  it('keep their secrets out of validation messages', async () => {
    const secret = 'not a secret of the right form';
    const request = {
      ...EXTERNAL,
      KeyStorePassword: secret.repeat(2),
      XksProxyAuthenticationCredential: { AccessKeyId: secret, RawSecretAccessKey: secret },
    };
    const { code, message } = await refused('CreateCustomKeyStore', request);
    expect(code).to.equal('ValidationException');
    expect(message)
      .to.contain("Value at 'xksProxyAuthenticationCredential.accessKeyId' failed")
      .and.contain("Value at 'keyStorePassword' failed")
      .and.not.contain('right form');
  });
});
