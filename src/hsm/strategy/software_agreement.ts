import { createCipheriv, createHash, createHmac, hkdfSync } from 'node:crypto';
import { concat, u32be } from '../../bytes.js';
import type { ReplicationSuite } from '../../wire/suite.js';
import { cbcDeriveBlocks } from './agreement.js';

/** What the standards say that a suite gives. */
export interface SoftwareAgreement {
  /** Shared secret, 48 octets. HAZARD: only ever one that a published test key was part of. */
  readonly z: Uint8Array;
  readonly salt: Uint8Array;
  readonly fixedInfo: Uint8Array;
  readonly octets: number;
}

function sha384(...parts: readonly Uint8Array[]): Uint8Array {
  return createHash('sha384')
    .update(concat(...parts))
    .digest();
}

const derivations: Readonly<Record<ReplicationSuite, (agreement: SoftwareAgreement) => Uint8Array>> = {
  'OSKDF-A256KWP': ({ z, fixedInfo }) => sha384(u32be(1), z, fixedInfo),
  'X963-A256KWP': ({ z, fixedInfo }) => sha384(z, u32be(1), fixedInfo),
  'HKDF384-A256KWP': ({ z, salt, fixedInfo, octets }) => new Uint8Array(hkdfSync('sha384', z, salt, fixedInfo, octets)),
  'SP800108-A256KWP': ({ z, fixedInfo }) => createHmac('sha384', z).update(u32be(1)).update(fixedInfo).digest(),
  'CBCDERIVE-A256KWP': ({ z, fixedInfo, octets }) => {
    const cipher = createCipheriv('aes-256-cbc', z.subarray(16), new Uint8Array(16)).setAutoPadding(false);
    return concat(cipher.update(cbcDeriveBlocks(fixedInfo, octets)), cipher.final());
  },
};

/**
 * What a suite's derivation must give, computed in software: the known answer of self-tests, never a way to do it.
 *
 * @param agreement - `octets` 32 or 48
 */
export function expectedKey(suite: ReplicationSuite, agreement: SoftwareAgreement): Uint8Array {
  return derivations[suite](agreement).subarray(0, agreement.octets);
}
