import { createCipheriv, randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { DomainKeys } from '../../src/hsm/domain_key.js';
import { HsmError } from '../../src/hsm/errors.js';
import { HsmHealth } from '../../src/hsm/health.js';
import { HsmJobs } from '../../src/hsm/job_runner.js';
import type { StoredMaterial } from '../../src/hsm/material.js';
import { RecordKey } from '../../src/hsm/record_key.js';
import type { KeyStorage } from '../../src/hsm/key_storage.js';
import { TokenObjects } from '../../src/hsm/token_object.js';
import { TokenStorage } from '../../src/hsm/token_storage.js';
import { WrappedStorage } from '../../src/hsm/wrapped_storage.js';
import {
  CKA_CLASS,
  CKA_KEY_TYPE,
  CKA_TOKEN,
  CKA_UNWRAP,
  CKA_VALUE,
  CKK_AES,
  CKO_SECRET_KEY,
} from '../../src/token/cryptoki.js';
import { template } from '../../src/token/template.js';
import { makeRegionToken, storageCases, type RegionToken } from '../support/region_token.js';
import { macOutside } from '../support/spec_usages.js';

const message = Buffer.from('a message of somebody');

function wrapPad(kek: Uint8Array, octets: Uint8Array): Uint8Array {
  const cipher = createCipheriv('id-aes256-wrap-pad', kek, Buffer.from('a65959a6', 'hex'));
  return Buffer.concat([cipher.update(octets), cipher.final()]);
}

for (const { kind, storage: rest, place } of storageCases()) {
  describe(`HMAC material from outside on ${place}`, function () {
    this.timeout(60_000);
    let region: RegionToken;
    let storage: KeyStorage;
    let health: HsmHealth;
    let adopted = 0;

    before(async () => {
      region = await makeRegionToken(kind, { keyStorage: rest });
      health = new HsmHealth();
      const jobs = new HsmJobs(region.executor, health);
      // Multi-Region material rests under the domain key that is not trusted: no key may say that only a trusted one wraps it.
      const capabilities = { ...region.capabilities, enforcesWrapWithTrusted: false };
      const parts = {
        jobs,
        capabilities,
        domainKeys: new DomainKeys(jobs, capabilities),
        recordKey: new RecordKey(jobs, capabilities),
      };
      storage =
        rest === 'wrapped'
          ? new WrappedStorage(parts)
          : new TokenStorage({ ...parts, objects: new TokenObjects(jobs, region.ledger) });
    });
    after(() => region.close());

    const adopt = (secret: Uint8Array, keySpec: 'HMAC_256' | 'HMAC_512'): Promise<StoredMaterial> => {
      const kek = randomBytes(32);
      const mechanism = { type: region.capabilities.keyWrapPad, parameter: { kind: 'none' } } as const;
      const binding = {
        keyId: 'k',
        keySpec,
        keyUsage: 'GENERATE_VERIFY_MAC',
        multiRegion: true,
        dataSuite: null,
      } as const;
      return storage
        .adopt(binding, 'adopt', {
          publicKey: null,
          make: (job, shape) => {
            const key = job.createObject(
              template(
                [CKA_CLASS, CKO_SECRET_KEY],
                [CKA_KEY_TYPE, CKK_AES],
                [CKA_TOKEN, false],
                [CKA_UNWRAP, true],
                [CKA_VALUE, kek],
              ),
            );
            return job.unwrapKey(mechanism, key, wrapPad(kek, secret), shape);
          },
        })
        .then((material) => {
          adopted += 1;
          return material;
        });
    };

    for (const [keySpec, algorithm, lengths] of [
      ['HMAC_256', 'HMAC_SHA_256', [32, 33, 41, 63, 64, 72, 128]],
      ['HMAC_512', 'HMAC_SHA_512', [64, 65, 100, 127, 128]],
    ] as const) {
      it(`gives the MAC of the very secret for ${keySpec} of every length up to a block, and of whole words above it`, async () => {
        for (const octets of lengths) {
          const secret = randomBytes(octets);
          const material = await adopt(secret, keySpec);
          const mac = await region.hsm.generateMac(material, algorithm, message);
          expect(Buffer.from(mac).equals(macOutside(algorithm, secret, message)), `${octets}`).to.equal(true);
        }
      });
    }

    it('keeps a longer secret of an odd length as it is, or refuses it and goes on working', async () => {
      const secret = randomBytes(65);
      const outcome = await adopt(secret, 'HMAC_256').catch((error: unknown) => error);
      if (region.profile.rules.wrapPadsOddLengths === false) {
        const mac = await region.hsm.generateMac(outcome as StoredMaterial, 'HMAC_SHA_256', message);
        expect(Buffer.from(mac).equals(macOutside('HMAC_SHA_256', secret, message))).to.equal(true);
      } else {
        expect(outcome).to.be.instanceOf(HsmError);
        expect((outcome as HsmError).code).to.equal('ERR_HSM_STRATEGY');
        expect((outcome as HsmError).message).to.include('CKM_AES_KEY_WRAP_KWP');
        expect(region.ledger.count(), 'token objects').to.equal(rest === 'token' ? adopted : 0);
      }
      expect(health.failure).to.equal(null);
    });
  });
}
