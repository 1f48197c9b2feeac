import { equalOctets } from '../bytes.js';
import { CKK_GENERIC_SECRET, CKM_SHA384_HMAC } from '../token/cryptoki.js';
import { Job } from '../token/job.js';
import { encodeMaterialRecord } from '../wire/material_record.js';
import type { HsmCapabilities } from './capability.js';
import { HsmError } from './errors.js';
import type { HsmJobs } from './job_runner.js';
import type { KeyShape } from './key_shape.js';
import type { StoredMaterial } from './material.js';
import { findForUse, KEY_LABELS, Remembered, type TokenKey } from './token_keys.js';

/** The shape of a record key: an HMAC secret of 48 octets that signs and verifies and never leaves the token. */
export function recordKeyShape(id: Uint8Array, label: string): KeyShape {
  return {
    keyType: CKK_GENERIC_SECRET,
    lengthOctets: 48,
    uses: ['sign', 'verify'],
    label,
    id,
    onToken: true,
    allowedMechanisms: [CKM_SHA384_HMAC],
  };
}

function recordOctets(material: Omit<StoredMaterial, 'recordMac'>): Uint8Array {
  return encodeMaterialRecord({
    ...material.binding,
    domainKeyId: material.domainKeyId,
    exportedKeyToken: material.exportedKeyToken,
    publicKey: material.publicKey,
  });
}

/** The record key of a region: binds each exported key token to the record that it belongs to. */
export class RecordKey {
  readonly #jobs: HsmJobs;
  readonly #keys: Remembered<readonly TokenKey[]>;

  constructor(jobs: HsmJobs, capabilities: HsmCapabilities) {
    this.#jobs = jobs;
    this.#keys = new Remembered(jobs, () =>
      findForUse(jobs, capabilities, KEY_LABELS.recordKey, (id) => recordKeyShape(id, KEY_LABELS.recordKey)),
    );
  }

  /** Ids of all record keys, the active one first. */
  async ids(): Promise<readonly string[]> {
    return (await this.#keys.get()).map((key) => key.idHex);
  }

  /** Completes a stored backing key with the MAC over its record. */
  async bind(material: Omit<StoredMaterial, 'recordMac'>): Promise<StoredMaterial> {
    return { ...material, recordMac: await this.seal(recordOctets(material)) };
  }

  /**
   * Checks that a record is as it was bound.
   *
   * The MAC is made again and compared here: some tokens compare MACs without looking at their length.
   *
   * @throws {@link HsmError} `ERR_HSM_RECORD`
   */
  async assertBound(material: StoredMaterial): Promise<void> {
    if (await this.isSealed(recordOctets(material), material.recordMac)) return;
    throw new HsmError('ERR_HSM_RECORD', `the record of key ${material.binding.keyId} is not as it was stored`, {
      details: { keyId: material.binding.keyId, materialId: material.binding.materialId },
    });
  }

  /** MAC over a record's octets, which begin with a label of their kind. */
  async seal(octets: Uint8Array): Promise<Uint8Array> {
    const [active] = await this.#keys.get();
    if (active === undefined) {
      throw new HsmError('ERR_HSM_KEY_NOT_FOUND', 'the token holds no record key: provision it first');
    }
    // A wrong MAC would be found when the record is first used, long after it was acknowledged: so it is made twice.
    const mac = await this.#mac(active, octets);
    if (!equalOctets(mac, await this.#mac(active, octets))) {
      throw this.#jobs.health.stop('the token made two MACs over one record that differ');
    }
    return mac;
  }

  /** Whether some record key has sealed these octets. */
  async isSealed(octets: Uint8Array, mac: Uint8Array): Promise<boolean> {
    for (const key of await this.#keys.get()) {
      if (equalOctets(await this.#mac(key, octets), mac)) return true;
    }
    return false;
  }

  async #mac(key: TokenKey, octets: Uint8Array): Promise<Uint8Array> {
    const job = new Job('record MAC', 'HMAC-SHA-384');
    const mac = job.sign({ type: CKM_SHA384_HMAC, parameter: { kind: 'none' } }, key.handle, octets);
    return (await this.#jobs.run(job)).bytes(mac);
  }
}
