import { expect } from 'chai';
import { CeremonyError } from '../../../src/customer/errors.js';
import {
  IMPORTED_KEY_SPECS,
  parseKeySpec,
  requireRoom,
  requireWrapping,
  requireWrappedOctets,
  usualAlgorithm,
  WRAPPING_ALGORITHMS,
  WRAPPING_KEY_SPECS,
  type WrappingAlgorithm,
  type WrappingKeySpec,
} from '../../../src/customer/rules.js';
import { requireWrapping as requireWrappingOfKms } from '../../../src/kms/import_rules.js';
import { thrown } from '../../support/failure.js';

function isRefused(run: () => unknown): boolean {
  try {
    run();
    return false;
  } catch {
    return true;
  }
}

describe('the rules of an import, at the customer’s side', () => {
  it('take and refuse the same combinations as the service', () => {
    const differences = IMPORTED_KEY_SPECS.flatMap((keySpec) =>
      WRAPPING_ALGORITHMS.flatMap((algorithm) =>
        WRAPPING_KEY_SPECS.filter(
          (wrappingKeySpec) =>
            isRefused(() => requireWrapping(keySpec, algorithm, wrappingKeySpec)) !==
            isRefused(() => requireWrappingOfKms(keySpec, algorithm, wrappingKeySpec)),
        ).map((wrappingKeySpec) => `${keySpec} ${algorithm} ${wrappingKeySpec}`),
      ),
    );
    expect(differences).to.deep.equal([]);
    expect(isRefused(() => requireWrapping('RSA_2048', 'RSAES_OAEP_SHA_256', 'RSA_4096'))).to.equal(true);
  });

  it('have a usual algorithm for every key spec, which the rules take', () => {
    for (const keySpec of IMPORTED_KEY_SPECS) {
      for (const hash of ['sha1', 'sha256'] as const) {
        requireWrapping(keySpec, usualAlgorithm(keySpec, hash), 'RSA_2048');
      }
    }
    expect(usualAlgorithm('HMAC_384', 'sha256')).to.equal('RSAES_OAEP_SHA_256');
    expect(usualAlgorithm('ECC_NIST_P256', 'sha1')).to.equal('RSA_AES_KEY_WRAP_SHA_1');
  });

  it('leave as much room under RSAES-OAEP as the standard does', () => {
    const rooms: readonly (readonly [WrappingKeySpec, WrappingAlgorithm, number])[] = [
      ['RSA_2048', 'RSAES_OAEP_SHA_1', 214],
      ['RSA_2048', 'RSAES_OAEP_SHA_256', 190],
      ['RSA_3072', 'RSAES_OAEP_SHA_1', 342],
      ['RSA_3072', 'RSAES_OAEP_SHA_256', 318],
      ['RSA_4096', 'RSAES_OAEP_SHA_1', 470],
      ['RSA_4096', 'RSAES_OAEP_SHA_256', 446],
    ];
    for (const [spec, algorithm, room] of rooms) {
      requireRoom(room, algorithm, spec);
      const refusal = thrown(CeremonyError, () => requireRoom(room + 1, algorithm, spec));
      expect(refusal.details['room']).to.equal(room);
    }
  });

  it('tell wrapped material of another length than the algorithm makes', () => {
    requireWrappedOctets(256, 'RSAES_OAEP_SHA_256', 'RSA_2048');
    requireWrappedOctets(256 + 40, 'RSA_AES_KEY_WRAP_SHA_256', 'RSA_2048');
    const wrong: readonly (readonly [number, WrappingAlgorithm])[] = [
      [255, 'RSAES_OAEP_SHA_256'],
      [296, 'RSAES_OAEP_SHA_256'],
      [256, 'RSA_AES_KEY_WRAP_SHA_256'],
      [256 + 8, 'RSA_AES_KEY_WRAP_SHA_256'],
      [256 + 41, 'RSA_AES_KEY_WRAP_SHA_256'],
      [6145, 'RSA_AES_KEY_WRAP_SHA_256'],
    ];
    for (const [octets, algorithm] of wrong) {
      const refusal = thrown(CeremonyError, () => requireWrappedOctets(octets, algorithm, 'RSA_2048'));
      expect(refusal.code).to.equal('ERR_CEREMONY_MATERIAL');
    }
  });

  it('name the key specs that can be imported where another is asked for', () => {
    const refusal = thrown(CeremonyError, () => parseKeySpec('ML_DSA_44'));
    expect(refusal.remedy).to.contain('ECC_NIST_P521');
  });
});
