import { expect } from 'chai';
import type { MacAlgorithm, RequestedKeySpec } from '../../../../src/kms/key_spec.js';
import { generateMac } from '../../../../src/kms/operations/generate_mac.js';
import { verifyMac } from '../../../../src/kms/operations/verify_mac.js';
import { makeKey } from '../../../support/keys_of_every_spec.js';
import { makeSoftwareRegion, refusalOf, type SoftwareRegion } from '../../../support/software_region.js';

const Message = Buffer.from('the message');

const CASES: readonly [RequestedKeySpec, MacAlgorithm, number][] = [
  ['HMAC_224', 'HMAC_SHA_224', 28],
  ['HMAC_256', 'HMAC_SHA_256', 32],
  ['HMAC_384', 'HMAC_SHA_384', 48],
  ['HMAC_512', 'HMAC_SHA_512', 64],
];

describe('GenerateMac and VerifyMac', () => {
  let fixture: SoftwareRegion;
  beforeEach(() => {
    fixture = makeSoftwareRegion();
  });
  afterEach(() => fixture.close());

  for (const [spec, MacAlgorithm, octets] of CASES) {
    it(`make ${MacAlgorithm} of ${octets} octets and accept it whole and unchanged only`, async () => {
      const key = await makeKey(fixture, spec, 'GENERATE_VERIFY_MAC');
      const made = await generateMac(fixture.call, { KeyId: key.arn, Message, MacAlgorithm });
      expect(made).to.include({ KeyId: key.arn, MacAlgorithm });
      expect(made.Mac).to.have.length(octets);
      const check = (Mac: Uint8Array) => verifyMac(fixture.call, { KeyId: key.arn, Message, MacAlgorithm, Mac });
      expect(await check(made.Mac)).to.deep.equal({ KeyId: key.arn, MacValid: true, MacAlgorithm });
      const flipped = Buffer.from(made.Mac);
      flipped[octets - 1] = (flipped[octets - 1] ?? 0) ^ 1;
      const longer = Buffer.concat([made.Mac, Buffer.of(0)]);
      for (const wrong of [flipped, made.Mac.subarray(0, octets - 1), longer, Buffer.alloc(octets)]) {
        expect(await refusalOf(check(wrong))).to.deep.equal({ code: 'KMSInvalidMacException', message: '' });
      }
    });
  }

  it('refuse a MAC that another key made', async () => {
    const [one, two] = [
      await makeKey(fixture, 'HMAC_256', 'GENERATE_VERIFY_MAC'),
      await makeKey(fixture, 'HMAC_256', 'GENERATE_VERIFY_MAC'),
    ];
    const { Mac } = await generateMac(fixture.call, { KeyId: one.arn, Message, MacAlgorithm: 'HMAC_SHA_256' });
    const refusal = await refusalOf(
      verifyMac(fixture.call, { KeyId: two.arn, Message, Mac, MacAlgorithm: 'HMAC_SHA_256' }),
    );
    expect(refusal.code).to.equal('KMSInvalidMacException');
  });
});
