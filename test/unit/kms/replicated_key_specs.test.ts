import { expect } from 'chai';
import { encodeContext, decodeContext } from '../../../src/replication/context_codec.js';
import type { KeyMetadataContext } from '../../../src/replication/key_context.js';
import { isReject } from '../../../src/wire/refusal.js';
import { createKey } from '../../../src/kms/operations/create_key.js';
import { generateMac } from '../../../src/kms/operations/generate_mac.js';
import { getPublicKey } from '../../../src/kms/operations/get_public_key.js';
import { replicateKey } from '../../../src/kms/operations/replicate_key.js';
import { sign } from '../../../src/kms/operations/sign.js';
import { verify } from '../../../src/kms/operations/verify.js';
import { verifyMac } from '../../../src/kms/operations/verify_mac.js';
import type { ExportableKey } from '../../../src/replication/ports.js';
import { makeSoftwareRegion, type SoftwareRegion } from '../../support/software_region.js';

const Message = Buffer.from('message');

describe('Multi-Region keys of every spec', () => {
  let primary: SoftwareRegion;
  let replica: SoftwareRegion;
  beforeEach(() => {
    primary = makeSoftwareRegion();
    replica = makeSoftwareRegion({ name: 'eu-west-1' });
  });
  afterEach(() => {
    primary.close();
    replica.close();
  });

  async function makePrimary(KeySpec: 'HMAC_256' | 'ECC_NIST_P256'): Promise<string> {
    const KeyUsage = KeySpec === 'HMAC_256' ? 'GENERATE_VERIFY_MAC' : 'SIGN_VERIFY';
    const { KeyMetadata } = await createKey(primary.call, { MultiRegion: true, KeySpec, KeyUsage });
    await replicateKey(primary.call, { KeyId: KeyMetadata.KeyId, ReplicaRegion: 'eu-west-1' });
    return KeyMetadata.KeyId;
  }

  function exported(keyId: string): ExportableKey {
    const key = primary.replicatedKeys.exportable(keyId, 'eu-west-1');
    if (key === undefined) throw new Error('the key cannot be exported');
    return key;
  }

  function install(keyId: string): void {
    const { birthCertificate, context, materials } = exported(keyId);
    const sent = decodeContext(encodeContext(context));
    if (isReject(sent)) throw new Error(`the metadata is refused: ${sent.detail}`);
    replica.replicatedKeys.install({
      source: 'us-east-1',
      generation: 1n,
      birthCertificate,
      context: sent,
      materials: materials.map((material) => replica.hsm.adopt(material, primary.hsm)),
    });
  }

  it('make one MAC in both regions', async () => {
    const KeyId = await makePrimary('HMAC_256');
    install(KeyId);
    const request = { KeyId, Message, MacAlgorithm: 'HMAC_SHA_256' } as const;
    const { Mac } = await generateMac(primary.call, request);
    expect((await verifyMac(replica.call, { ...request, Mac })).MacValid).to.equal(true);
  });

  it('have one public half, and sign what the other region verifies', async () => {
    const KeyId = await makePrimary('ECC_NIST_P256');
    install(KeyId);
    const [here, there] = [await getPublicKey(primary.call, { KeyId }), await getPublicKey(replica.call, { KeyId })];
    expect(Buffer.from(here.PublicKey).equals(there.PublicKey)).to.equal(true);
    expect(there).to.include({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
    const request = { KeyId, Message, SigningAlgorithm: 'ECDSA_SHA_256' } as const;
    const { Signature } = await sign(replica.call, request);
    expect((await verify(primary.call, { ...request, Signature })).SignatureValid).to.equal(true);
  });

  it('travel without a data suite, and symmetric ones with one', async () => {
    const { context } = exported(await makePrimary('HMAC_256'));
    expect(context.dataSuite).to.equal(null);
    const change = (changes: Partial<KeyMetadataContext>) => decodeContext(encodeContext({ ...context, ...changes }));
    expect(change({ dataSuite: 'SP800108-GCM' })).to.deep.include({ code: 'CONTEXT', field: 'ctx.dataSuite' });
    expect(isReject(change({ keySpec: 'SYMMETRIC_DEFAULT', keyUsage: 'ENCRYPT_DECRYPT' }))).to.equal(true);
    expect(isReject(change({ keySpec: 'SM2' as never }))).to.equal(true);
    expect(isReject(change({ keyUsage: 'ENCAPSULATE_DECAPSULATE' as never }))).to.equal(true);
    expect(isReject(change({}))).to.equal(false);
  });
});
