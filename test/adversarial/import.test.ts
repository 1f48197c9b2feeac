import { randomBytes, randomUUID } from 'node:crypto';
import {
  CreateKeyCommand,
  DecryptCommand,
  DescribeKeyCommand,
  EncryptCommand,
  GetParametersForImportCommand,
  ImportKeyMaterialCommand,
  type AlgorithmSpec,
  type KeySpec,
  type KeyUsageType,
  type KMSClient,
} from '@aws-sdk/client-kms';
import { expect } from 'chai';
import { importCapabilitiesOf } from '../../src/hsm/import_strategy.js';
import type { RegionImports } from '../../src/hsm/import_region.js';
import { ImportError } from '../../src/import/errors.js';
import { IMPORT_TOKEN_TYP, RegionImportTokens } from '../../src/import/import_token.js';
import { isKeyId } from '../../src/kms/key_id.js';
import type { ImportParameters } from '../../src/kms/material_store.js';
import { BIRTH_TYP, issueBirthCertificate } from '../../src/replication/key_certificate.js';
import { attacksOn, expectRefusal } from '../support/attack.js';
import {
  compactOf,
  partsOf,
  put,
  resigned,
  softwareSigner,
  tampered,
  withBitFlipped,
  type Signer,
} from '../support/forgery.js';
import { toldOf, wrappingProbes } from '../support/import_probes.js';
import { wrapForImport } from '../support/import_wrapping.js';
import { countObjects, labKinds, openLabToken, type LabToken, type RegionLetter } from '../support/lab_token.js';
import { makeRegionFixture, type RegionFixture } from '../support/region_fixture.js';
import { makeRegionToken, profileOf, type RegionToken } from '../support/region_token.js';
import { makeScratchToken } from '../support/token_directory.js';

const DAY_MS = 86_400_000;
const OAEP = 'RSAES_OAEP_SHA_256';
const KEY_WRAP = 'RSA_AES_KEY_WRAP_SHA_256';
const EXPIRY = { ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' } as const;

describe('an adversary who brings an import token to replication', function () {
  this.timeout(120_000);
  const imports = new Map<RegionLetter, RegionImports>();

  async function importingToken(letter: RegionLetter): Promise<LabToken> {
    const scratch = await makeScratchToken(labKinds()[letter]);
    const profile = await profileOf(scratch);
    const token = await openLabToken(scratch);
    imports.set(letter, token.hsm.openImports(importCapabilitiesOf(profile, { outsideToken: 'allow' })));
    return token;
  }
  const attack = attacksOn(() => ({ A: () => importingToken('A'), B: () => importingToken('B') }));

  attack(
    "A47 an import token as an offer, and in a birth certificate's place, is refused by its type, whoever signed it",
    async (lab) => {
      const { A, B } = lab;
      const keyId = await lab.createKey(A);
      await lab.replicate(A, keyId, B);
      const intent = await lab.until('M0');
      const ofB = imports.get('B');
      if (ofB === undefined) throw new Error('B takes no imports');
      const nowMs = Math.floor(B.clock.nowMs() / 1000) * 1000;
      const token = await new RegionImportTokens(ofB, { partition: 'aws-lab', region: B.name }).issue({
        keyId,
        importKeyId: '0b0f5a3e-6f0e-4a51-9d4e-5a1d6d2c7f10',
        publicKeyHash: 'ab'.repeat(32),
        wrappingKeySpec: 'RSA_2048',
        algorithm: OAEP,
        issuedMs: nowMs,
        expiresMs: nowMs + DAY_MS,
      });
      const signedAsMessage = await resigned(token, lab.signer(B));
      const inPlace = await resigned(intent.octets, lab.signer(A), (payload) =>
        put(payload, 'keys.0.birthCert', Buffer.from(token).toString()),
      );
      await expectRefusal(lab, B, 'TYP', () => lab.network.deliver(B.name, inPlace), { field: 'birthCert' });

      await lab.network.deliver(B.name, intent.octets);
      const offer = await lab.until('M1');
      for (const octets of [token, signedAsMessage]) {
        await expectRefusal(lab, A, 'TYP', () => lab.network.deliver(A.name, octets));
      }
      // Under the type of an offer it is no offer of B; signed again by B it still lacks what an offer says.
      const { typ } = partsOf(offer.octets).header;
      const { header, payload, signature } = partsOf(token);
      const relabelled = compactOf({ ...header, typ }, payload, signature);
      await expectRefusal(lab, A, 'KID_STATE', () => lab.network.deliver(A.name, relabelled), { field: 'kid' });
      await lab.network.deliver(A.name, offer.octets);
      await lab.run();
    },
  );
});

for (const kind of ['softhsm2', 'nss'] as const) {
  describe(`an adversary who imports key material, on ${kind}`, function () {
    this.timeout(60_000);
    let token: RegionToken;
    let imports: RegionImports;
    let tokens: RegionImportTokens;
    let region: RegionFixture;
    let kms: KMSClient;

    before(async () => {
      token = await makeRegionToken(kind);
      imports = token.hsm.openImports(importCapabilitiesOf(token.profile, { outsideToken: 'allow' }));
      region = await makeRegionFixture({
        hsm: token.hsm,
        imports: (home) => {
          tokens = new RegionImportTokens(imports, { partition: home.partition, region: home.region });
          return { importHsm: imports, importTokens: tokens };
        },
      });
      // What a disk keeps after a power cut is not in question here, and its waits are long.
      region.database.prepare('PRAGMA synchronous = OFF').all();
      kms = region.client();
    });
    after(async () => {
      await region.close();
      await token.close();
    });

    async function makeKey(KeySpec: KeySpec = 'SYMMETRIC_DEFAULT', KeyUsage: KeyUsageType = 'ENCRYPT_DECRYPT') {
      const made = await kms.send(new CreateKeyCommand({ Origin: 'EXTERNAL', KeySpec, KeyUsage }));
      const KeyId = made.KeyMetadata?.KeyId;
      if (!isKeyId(KeyId ?? '')) throw new Error('no key was made');
      return KeyId ?? '';
    }

    async function parametersFor(KeyId: string, algorithm: AlgorithmSpec = OAEP) {
      const request = { KeyId, WrappingAlgorithm: algorithm, WrappingKeySpec: 'RSA_2048' } as const;
      const answer = await kms.send(new GetParametersForImportCommand(request));
      return { token: answer.ImportToken ?? new Uint8Array(), publicKey: answer.PublicKey ?? new Uint8Array() };
    }

    async function claimsOf(octets: Uint8Array) {
      const claims = await tokens.open(octets);
      if (claims instanceof ImportError) throw claims;
      return claims;
    }

    /** The same, with what the region keeps of them. */
    async function keptParametersFor(KeyId: string, algorithm: AlgorithmSpec) {
      const made = await parametersFor(KeyId, algorithm);
      const { importKeyId } = await claimsOf(made.token);
      const parameters = region.region.materials.parameters(importKeyId);
      if (parameters === undefined) throw new Error('no parameters are kept');
      return { ...made, parameters };
    }

    /** The region gives one try to a wrapping key; the adversary gets it back, so that many can be made in a short time. */
    function giveBack(parameters: ImportParameters): void {
      expect(region.region.materials.parameters(parameters.importKey.id), 'used up').to.equal(undefined);
      region.region.materials.insertParameters(parameters);
    }

    const send = (KeyId: string, ImportToken: Uint8Array, EncryptedKeyMaterial: Uint8Array) =>
      kms.send(new ImportKeyMaterialCommand({ KeyId, ImportToken, EncryptedKeyMaterial, ...EXPIRY }));

    /** The API's error, and what the trail says of the same call beyond it. */
    async function refusalOf(KeyId: string, ImportToken: Uint8Array, blob: Uint8Array) {
      const told = await toldOf(send(KeyId, ImportToken, blob));
      const events = await region.events();
      const { eventName, errorCode, additionalEventData, resources } = events.at(-1) ?? {};
      expect(eventName).to.equal('ImportKeyMaterial');
      expect(errorCode, 'error in the audit trail').to.equal(told.name);
      expect(resources?.[0]?.ARN, 'key in the audit trail').to.match(new RegExp(`key/${KeyId}$`));
      return { told, audited: additionalEventData?.['refusal'] };
    }

    async function stateOf(KeyId: string) {
      const described = await kms.send(new DescribeKeyCommand({ KeyId }));
      const versions = isKeyId(KeyId) ? region.region.materials.versions(KeyId) : [];
      return { state: described.KeyMetadata?.KeyState, versions: versions.length };
    }
    const UNTOUCHED = { state: 'PendingImport', versions: 0 };
    const objects = () => countObjects({ ...token, kind });
    const INVALID_TOKEN = { name: 'InvalidImportTokenException', status: 400 };

    it('A47 a birth certificate is no import token, with either key, either type', async () => {
      const KeyId = await makeKey();
      const good = await parametersFor(KeyId);
      const blob = wrapForImport(OAEP, good.publicKey, randomBytes(32));
      const [rsk] = await token.hsm.signingKeys();
      const [importKey] = await imports.importSigningKeys();
      if (rsk === undefined || importKey === undefined) throw new Error('the token is not provisioned');
      const { birthCertificate } = await issueBirthCertificate(
        {
          partition: 'aws',
          originRegion: region.name,
          birthNonce: randomBytes(32),
          keySpec: 'SYMMETRIC_DEFAULT',
          keyUsage: 'ENCRYPT_DECRYPT',
          origin: 'EXTERNAL',
          createdEpoch: 1n,
        },
        rsk.kid,
        (kid, octets) => token.hsm.sign(kid, octets),
      );
      const byRsk: Signer = { kid: rsk.kid, sign: (octets) => token.hsm.sign(rsk.kid, octets) };
      const byImportKey: Signer = {
        kid: importKey.kid,
        sign: (octets) => imports.signImportToken(importKey.kid, octets),
      };
      const asImport = (_payload: unknown, header: Record<string, unknown>) => put(header, 'typ', IMPORT_TOKEN_TYP);
      const cases: readonly (readonly [string, Uint8Array])[] = [
        ['ERR_IMPORT_TOKEN_TYPE', Buffer.from(birthCertificate)],
        ['ERR_IMPORT_TOKEN_TYPE', await resigned(birthCertificate, byImportKey)],
        ['ERR_IMPORT_TOKEN_SIGNING_KEY', await resigned(birthCertificate, byRsk, asImport)],
        ['ERR_IMPORT_TOKEN_CLAIMS', await resigned(birthCertificate, byImportKey, asImport)],
        ['ERR_IMPORT_TOKEN_SIGNING_KEY', await resigned(good.token, byRsk)],
        [
          'ERR_IMPORT_TOKEN_TYPE',
          await resigned(good.token, byImportKey, (_p, header) => put(header, 'typ', BIRTH_TYP)),
        ],
      ];
      for (const [code, octets] of cases) {
        const { told, audited } = await refusalOf(KeyId, octets, blob);
        expect(audited).to.equal(code);
        expect(told).to.include(INVALID_TOKEN);
      }
      expect(await stateOf(KeyId)).to.deep.equal(UNTOUCHED);
      await send(KeyId, good.token, blob);
    });

    it('A48 a token for another key, a changed one, and one that nobody here signed are refused alike', async () => {
      const [x, y] = [await makeKey(), await makeKey()];
      const ofX = await parametersFor(x);
      const ofY = await parametersFor(y);
      const blob = wrapForImport(OAEP, ofX.publicKey, randomBytes(32));
      const [signing] = await imports.importSigningKeys();
      const claims = await claimsOf(ofX.token);
      if (signing === undefined) throw new Error('the token is not provisioned');
      const stranger = softwareSigner();
      const other = (payload: Record<string, unknown>) => put(payload, 'algorithm', 'RSAES_OAEP_SHA_1');
      const elsewhere = new RegionImportTokens(imports, { partition: 'aws', region: 'eu-west-1' });
      const cases: readonly (readonly [string, string, Uint8Array])[] = [
        ['ERR_IMPORT_TOKEN_KEY', y, ofX.token],
        ['ERR_IMPORT_TOKEN_SIGNATURE', x, tampered(ofX.token, other)],
        ['ERR_IMPORT_TOKEN_SIGNING_KEY', x, await resigned(ofX.token, stranger, other)],
        ['ERR_IMPORT_TOKEN_SIGNATURE', x, await resigned(ofX.token, { ...stranger, kid: signing.kid }, other)],
        ['ERR_IMPORT_TOKEN_SIGNATURE', x, withBitFlipped(ofX.token, 'signature', 100)],
        ['ERR_IMPORT_TOKEN_FORM', x, ofX.token.subarray(0, 300)],
        ['ERR_IMPORT_TOKEN_REGION', x, await elsewhere.issue(claims)],
        // Even the right signature moves no wrapping key to another algorithm, size or key.
        ['ERR_IMPORT_TOKEN_ALGORITHM', x, await tokens.issue({ ...claims, algorithm: 'RSAES_OAEP_SHA_1' })],
        ['ERR_IMPORT_TOKEN_WRAPPING_KEY', x, await tokens.issue({ ...claims, wrappingKeySpec: 'RSA_4096' })],
        ['ERR_IMPORT_TOKEN_WRAPPING_KEY', y, await tokens.issue({ ...claims, keyId: y })],
        ['ERR_IMPORT_TOKEN_WRAPPING_KEY', x, await tokens.issue({ ...claims, publicKeyHash: '0'.repeat(64) })],
        ['ERR_IMPORT_TOKEN_USED', x, await tokens.issue({ ...claims, importKeyId: randomUUID() })],
      ];
      const told = [];
      for (const [code, KeyId, octets] of cases) {
        const refusal = await refusalOf(KeyId, octets, blob);
        expect(refusal.audited).to.equal(code);
        told.push(refusal.told);
      }
      expect(told[0]).to.include(INVALID_TOKEN);
      expect(new Set(told.map((answer) => JSON.stringify(answer)))).to.have.lengthOf(1);
      expect(await stateOf(x)).to.deep.equal(UNTOUCHED);
      expect(await stateOf(y)).to.deep.equal(UNTOUCHED);
      // None of that has used the parameters up, and y's own blob is y's.
      await send(x, ofX.token, blob);
      const { told: ofOther, audited } = await refusalOf(y, ofY.token, blob);
      expect(ofOther).to.include({ name: 'InvalidCiphertextException', status: 400 });
      expect(audited).to.equal('ERR_IMPORT_MATERIAL_UNWRAP');
    });

    it('A48 a token that was used takes no other material in, and the first stays', async () => {
      const KeyId = await makeKey();
      const { token: once, publicKey } = await parametersFor(KeyId);
      const blob = wrapForImport(OAEP, publicKey, randomBytes(32));
      await send(KeyId, once, blob);
      const { CiphertextBlob } = await kms.send(new EncryptCommand({ KeyId, Plaintext: Buffer.from('first') }));
      const second = wrapForImport(OAEP, publicKey, randomBytes(32));
      for (const again of [second, blob]) {
        const { told, audited } = await refusalOf(KeyId, once, again);
        expect(told).to.include(INVALID_TOKEN);
        expect(audited).to.equal('ERR_IMPORT_TOKEN_USED');
      }
      const opened = await kms.send(new DecryptCommand({ CiphertextBlob }));
      expect(Buffer.from(opened.Plaintext ?? []).toString()).to.equal('first');
      expect((await stateOf(KeyId)).versions).to.equal(1);

      // With parameters of its own, other material is still not the key's.
      const own = await parametersFor(KeyId);
      const { told, audited } = await refusalOf(KeyId, own.token, wrapForImport(OAEP, own.publicKey, randomBytes(32)));
      expect(told).to.include({ name: 'IncorrectKeyMaterialException', status: 400 });
      expect(audited).to.equal('ERR_IMPORT_MATERIAL_OTHER');

      // Of two at the same moment one is taken.
      const raced = await makeKey();
      const theirs = await parametersFor(raced);
      const outcomes = await Promise.all(
        [1, 2].map(() => toldOf(send(raced, theirs.token, wrapForImport(OAEP, theirs.publicKey, randomBytes(32))))),
      );
      expect(outcomes.map(({ name }) => name).sort()).to.deep.equal([INVALID_TOKEN.name, 'nothing was refused']);
      expect((await stateOf(raced)).versions).to.equal(1);
    });

    it('A49 probes of the padding are told one thing, unwrap once, and leave nothing behind', async () => {
      const aes = await makeKey();
      const ec = await makeKey('ECC_NIST_P256', 'SIGN_VERIFY');
      const before = await objects();
      const answers = new Map<string, string>();
      for (const [KeyId, algorithm] of [
        [aes, OAEP],
        [ec, KEY_WRAP],
      ] as const) {
        const { token: good, publicKey, parameters } = await keptParametersFor(KeyId, algorithm);
        for (const { name, probe } of wrappingProbes(algorithm)) {
          const blob = probe(publicKey);
          const { told, audited } = await refusalOf(KeyId, good, blob);
          answers.set(`${algorithm} ${name}`, JSON.stringify(told));
          expect(audited, name).to.equal('ERR_IMPORT_MATERIAL_UNWRAP');
          const again = await toldOf(send(KeyId, good, blob));
          expect(again.name, `a second probe under one wrapping key, ${name}`).to.equal(INVALID_TOKEN.name);
          giveBack(parameters);
        }
        expect(await stateOf(KeyId)).to.deep.equal(UNTOUCHED);
      }
      const expected = JSON.stringify({ name: 'InvalidCiphertextException', message: 'UnknownError', status: 400 });
      const others = [...answers].filter(([, told]) => told !== expected);
      expect(others).to.deep.equal([]);
      expect(answers.size).to.be.greaterThan(20);
      expect(await objects()).to.deep.equal(before);
    });

    it('A48 a token is refused as expired after 24 hours, and not a second before', async () => {
      const [late, timely] = [await makeKey(), await makeKey()];
      const expired = await parametersFor(late);
      const good = await parametersFor(timely);
      const claims = await claimsOf(good.token);
      await region.advance(claims.expiresMs - region.region.clock.nowMs() - 5000);
      await send(timely, good.token, wrapForImport(OAEP, good.publicKey, randomBytes(32)));
      await region.advance(10_000);
      const blob = wrapForImport(OAEP, expired.publicKey, randomBytes(32));
      const { told, audited } = await refusalOf(late, expired.token, blob);
      expect(told).to.include({ name: 'ExpiredImportTokenException', status: 400 });
      expect(audited).to.equal('ERR_IMPORT_TOKEN_EXPIRED');
      expect(await stateOf(late)).to.deep.equal(UNTOUCHED);
    });
  });
}
