import { createCipheriv, createECDH } from 'node:crypto';
import { expectedKey } from '../../src/hsm/strategy/software_agreement.js';
import type { ReplicationSuite } from '../../src/wire/suite.js';
import { keyMaterialIdChallenge, keyMaterialIdOf } from '../../src/wire/key_material_id.js';

/** A source region without a token: knows its RWK, so that it can wrap whatever a test wants. */
export interface SoftwareSource {
  /** RAKA's point. */
  readonly point: Uint8Array;
  rwk(peerPoint: Uint8Array, suite: ReplicationSuite, salt: Uint8Array, fixedInfo: Uint8Array): Uint8Array;
}

export function softwareSource(): SoftwareSource {
  const raka = createECDH('secp384r1');
  const point = Uint8Array.from(raka.generateKeys());
  return {
    point,
    rwk: (peerPoint, suite, salt, fixedInfo) =>
      expectedKey(suite, { z: Uint8Array.from(raka.computeSecret(peerPoint)), salt, fixedInfo, octets: 32 }),
  };
}

/** RFC 5649. */
export function keyWrapPad(kek: Uint8Array, octets: Uint8Array): Uint8Array {
  const cipher = createCipheriv('id-aes256-wrap-pad', kek, Buffer.from('a65959a6', 'hex'));
  return Buffer.concat([cipher.update(octets), cipher.final()]);
}

/** The wrapping process of RFC 3394 with any 8 octets as initial value: for wrong lengths, paddings and kinds of wrap. */
export function keyWrapWith(kek: Uint8Array, initialValue: Uint8Array, octets: Uint8Array): Uint8Array {
  const cipher = createCipheriv('id-aes256-wrap', kek, initialValue);
  return Buffer.concat([cipher.update(octets), cipher.final()]);
}

/** Key material id of material that a test knows. */
export function softwareMaterialId(material: Uint8Array, keyId: string): string {
  const cipher = createCipheriv('aes-256-cbc', material, Buffer.alloc(16)).setAutoPadding(false);
  return keyMaterialIdOf(Buffer.concat([cipher.update(keyMaterialIdChallenge(keyId)), cipher.final()]));
}
