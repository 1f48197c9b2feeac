import { createECDH, createHash } from 'node:crypto';
import { expect } from 'chai';
import { calculateJwkThumbprint } from 'jose';
import { refusalOfPoint, isSignatureInRange, thumbprint, publicKeyOf, type PublicJwk } from '../../../src/wire/p384.js';
import { chooseSuite, REPLICATION_SUITES, stricterFloor } from '../../../src/wire/suite.js';
import { isReject } from '../../../src/wire/refusal.js';

describe('points of P-384', () => {
  it('accepts every point that another library makes', () => {
    for (let count = 0; count < 20; count += 1)
      expect(refusalOfPoint(createECDH('secp384r1').generateKeys(), 'pt')).to.equal(null);
  });

  it('accepts points whose octets look like a DER header', () => {
    const seen = new Set<number>();
    for (let count = 0; count < 2_000 && seen.size < 3; count += 1) {
      const point = createECDH('secp384r1').generateKeys();
      const second = point[1] ?? 0;
      if (second !== 0x5f && second !== 0x61 && second !== 0x04) continue;
      seen.add(second);
      expect(refusalOfPoint(point, 'pt')).to.equal(null);
    }
    expect(seen.size).to.be.greaterThan(0);
  });

  it('accepts a point with y of either sign and refuses the same x with another y', () => {
    const P = 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n;
    const point = createECDH('secp384r1').generateKeys();
    const y = BigInt(`0x${point.subarray(49).toString('hex')}`);
    const withY = (value: bigint) =>
      Buffer.concat([point.subarray(0, 49), Buffer.from(value.toString(16).padStart(96, '0'), 'hex')]);
    expect(refusalOfPoint(withY(P - y), 'pt')).to.equal(null);
    expect(refusalOfPoint(withY((y + 1n) % P), 'pt')?.code).to.equal('POINT');
  });

  it('a key id is the thumbprint of another implementation', async () => {
    const ecdh = createECDH('secp384r1');
    const point = ecdh.generateKeys();
    const jwk: PublicJwk = {
      kty: 'EC',
      crv: 'P-384',
      x: point.subarray(1, 49).toString('base64url'),
      y: point.subarray(49).toString('base64url'),
    };
    expect(thumbprint(jwk)).to.equal(await calculateJwkThumbprint({ ...jwk }, 'sha384'));
    expect(publicKeyOf(jwk)?.asymmetricKeyDetails?.namedCurve).to.equal('secp384r1');
    expect(publicKeyOf({ ...jwk, y: jwk.x })).to.equal(null);
    expect(createHash('sha384').digest()).to.have.length(48);
  });

  it('a signature has two scalars from 1 to n - 1', () => {
    const one = Buffer.from(`${'0'.repeat(95)}1`, 'hex');
    const n = Buffer.from(
      'ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973',
      'hex',
    );
    const nLessOne = Buffer.from(n);
    nLessOne[47] = (nLessOne[47] ?? 0) - 1;
    expect(isSignatureInRange(Buffer.concat([one, nLessOne]))).to.equal(true);
    for (const bad of [
      Buffer.concat([one, n]),
      Buffer.concat([Buffer.alloc(48), one]),
      Buffer.concat([one, Buffer.alloc(48)]),
      one,
    ]) {
      expect(isSignatureInRange(bad)).to.equal(false);
    }
  });
});

describe('suites', () => {
  it('the first of the source that the destination has and the floor allows is chosen, on both sides alike', () => {
    expect(chooseSuite(REPLICATION_SUITES, ['CBCDERIVE-A256KWP', 'X963-A256KWP'], 'CBCDERIVE-A256KWP')).to.equal(
      'X963-A256KWP',
    );
    expect(chooseSuite(['CBCDERIVE-A256KWP', 'OSKDF-A256KWP'], REPLICATION_SUITES, 'CBCDERIVE-A256KWP')).to.equal(
      'CBCDERIVE-A256KWP',
    );
    expect(chooseSuite(['CBCDERIVE-A256KWP', 'OSKDF-A256KWP'], REPLICATION_SUITES, 'X963-A256KWP')).to.equal(
      'OSKDF-A256KWP',
    );
    const none = chooseSuite(['CBCDERIVE-A256KWP'], REPLICATION_SUITES, 'X963-A256KWP');
    expect(isReject(none) && none.code).to.equal('FLOOR');
    expect(stricterFloor('CBCDERIVE-A256KWP', 'X963-A256KWP')).to.equal('X963-A256KWP');
  });
});
