import { concat } from '../../../bytes.js';
import { CKM_AES_CBC_ENCRYPT_DATA, CKM_ECDH1_COFACTOR_DERIVE, CKM_ECDH1_DERIVE } from '../../../token/cryptoki.js';
import type { ObjectHandle } from '../../../token/object.js';
import type { Mechanism } from '../../../token/mechanism.js';
import { mechanismName } from '../../../token/names.js';
import { knownKey } from '../../../token/probe/known_key.js';
import { plain } from '../../../token/probe/probe_context.js';
import type { Check } from '../../check.js';
import { answerOf, type CheckContext } from '../../check_context.js';
import { ecdhFunctions, secretDerivations, tryDerivation } from '../../derivation.js';
import { knownSecretTemplate, secretTemplate } from '../../key_template.js';
import { ecdh, withAgreement } from '../../peer.js';
import { expectNothingLeft } from '../../refusal_leftover.js';
import { wrapPadded } from '../../software_wrap.js';

const common = { group: 'CAP', timeLimitMs: 20_000 } as const;
const ECDH = mechanismName(CKM_ECDH1_DERIVE);
const CKM_CONCATENATE_BASE_AND_KEY = 0x360;
/** Lengths of shared data, octets: FixedInfo of the replication is 430. */
const SHARED_DATA_OCTETS = [0, 48, 256, 430, 1024] as const;
/** A longer one has to be hashed first. */
const FIXED_INFO_OCTETS = 430;

function ecdhWith(kdf: number, sharedData: Uint8Array | null, publicData: Uint8Array): Mechanism {
  return { type: CKM_ECDH1_DERIVE, parameter: { kind: 'ecdh1', kdf, sharedData, publicData } };
}

/** What a template may and must say about the length of a key that comes about in some way. */
async function expectLengthRule(
  context: CheckContext,
  what: string,
  call: string,
  make: (valueBytes: number | undefined) => Promise<{ readonly ok: boolean; readonly seen: string }>,
): Promise<void> {
  const without = await make(undefined);
  const given = await make(32);
  const rule =
    without.ok && given.ok
      ? 'optional'
      : given.ok
        ? `required: ${without.seen} without it`
        : without.ok
          ? `forbidden: ${given.seen}`
          : 'neither with it nor without it';
  context.expect(without.ok || given.ok, {
    what: `CKA_VALUE_LEN of ${what}`,
    call,
    expected: 'optional, required or forbidden',
    seen: rule,
  });
}

/** The one derivation from two keys: its parameter is the handle of the second. */
async function recordConcatenation(context: CheckContext): Promise<void> {
  const shape = { keyType: 'generic', usage: ['derive'] } as const;
  const second = context.random.octets(32);
  const made = await context.attempt(
    'second key',
    (job) => job.keep(job.createObject(knownSecretTemplate(shape, second))),
    (result, key) => result.object(key),
  );
  if (!made.ok) return;
  const handle = Buffer.alloc(8);
  handle.writeBigUInt64LE(made.value.value);
  const mechanism: Mechanism = { type: CKM_CONCATENATE_BASE_AND_KEY, parameter: { kind: 'octets', octets: handle } };
  const { seen } = await tryDerivation(
    context,
    mechanism,
    (job) => job.createObject(knownSecretTemplate(shape, knownKey)),
    concat(knownKey, second),
  );
  context.record('CKM_CONCATENATE_BASE_AND_KEY', seen, {
    call: 'C_DeriveKey',
    mechanism: 'CKM_CONCATENATE_BASE_AND_KEY',
  });
  await context.run('destroy', (job) => job.destroyObject(made.value));
}

/** What the token derives, and how it wants to be asked. */
export const derivationCapability: readonly Check[] = [
  {
    ...common,
    id: 'CAP-04',
    title: 'CKM_ECDH1_DERIVE with a key derivation function that a replication suite uses',
    severity: 'strategy',
    flows: ['replication'],
    source: 'PKCS#11 v3.0 current mechanisms section 2.3.20; ANSI X9.63; NIST SP 800-56C r2 section 4',
    remedy: 'enable one of CKD_SHA384_KDF_SP800, CKD_SHA384_KDF, or CKD_NULL with a second derivation',
    run: async (context) => {
      context.needMechanism(CKM_ECDH1_DERIVE);
      context.need('ecKeyPairP384');
      await withAgreement(context, async ({ pair, peer, z }) => {
        const sharedData = context.random.octets(48);
        const working: string[] = [];
        for (const { name, kdf, takesSharedData, derive } of ecdhFunctions) {
          const mechanism = ecdhWith(kdf, takesSharedData ? sharedData : null, peer.point);
          const outcome = await tryDerivation(context, mechanism, () => pair.privateKey, derive(z, sharedData, 48));
          context.record(name, outcome.seen, { call: 'C_DeriveKey', mechanism: ECDH });
          if (outcome.isRight) working.push(name);
        }
        const cofactor = { ...ecdh(peer.point), type: CKM_ECDH1_COFACTOR_DERIVE };
        const { seen } = await tryDerivation(context, cofactor, () => pair.privateKey, z);
        const more = { call: 'C_DeriveKey', mechanism: 'CKM_ECDH1_COFACTOR_DERIVE' };
        context.record('CKD_NULL with the cofactor, which is 1', seen, more);
        context.expect(working.length > 0, {
          what: 'key derivation functions of ECDH on P-384, by what software derives',
          call: 'C_DeriveKey',
          mechanism: ECDH,
          expected: 'at least one',
          seen: working.length === 0 ? 'none' : working.join(', '),
        });
      });
    },
  },
  {
    ...common,
    id: 'CAP-05',
    title: 'Derivations from a secret that is in the token',
    severity: 'strategy',
    flows: ['replication', 'operations'],
    source:
      'PKCS#11 v3.0 current mechanisms sections 2.41 (SP 800-108), 2.42, 2.62 (HKDF); v2.40 sections 2.15 and 2.31',
    remedy: 'enable CKM_HKDF_DERIVE, CKM_SP800_108_COUNTER_KDF or CKM_AES_CBC_ENCRYPT_DATA',
    run: async (context) => {
      context.need('createSecretKey');
      const working: string[] = [];
      for (const { name, base, mechanism, derived, isOfSuite } of secretDerivations(context, knownKey)) {
        const outcome = await tryDerivation(
          context,
          mechanism,
          (job) => job.createObject(knownSecretTemplate({ keyType: base, usage: ['derive'] }, knownKey)),
          derived,
        );
        context.record(name, outcome.seen, { call: 'C_DeriveKey', mechanism: mechanismName(mechanism.type) });
        if (outcome.isRight && isOfSuite) working.push(name);
      }
      await recordConcatenation(context);
      context.expect(working.length > 0, {
        what: 'derivations that a suite is built on, by what software derives',
        call: 'C_DeriveKey',
        expected: 'at least one of HKDF, SP 800-108 and CKM_AES_CBC_ENCRYPT_DATA',
        seen: working.length === 0 ? 'none' : working.join(', '),
      });
    },
  },
  {
    ...common,
    id: 'CAP-10',
    title: 'A template may, must or must not tell the length of a key that is derived or unwrapped',
    severity: 'strategy',
    flows: ['replication', 'import', 'operations'],
    source: 'PKCS#11 v2.40 sections 5.14 and 5.15; current mechanisms sections 2.3.9 and 2.8.2',
    remedy: 'take templates with CKA_VALUE_LEN where keys are derived, and without it where they are unwrapped',
    run: async (context) => {
      context.need('createSecretKey');
      const attempt = async (
        name: string,
        build: Parameters<typeof context.attempt<void, boolean>>[1],
      ): Promise<{ ok: boolean; seen: string }> => {
        const tried = await context.attempt(name, build, () => true);
        return { ok: tried.ok, seen: answerOf(tried) };
      };
      const aes = (valueBytes: number | undefined): ReturnType<typeof secretTemplate> =>
        secretTemplate({ keyType: 'aes', usage: ['encrypt'], ...(valueBytes === undefined ? {} : { valueBytes }) });
      const wrapped = wrapPadded(knownKey, context.random.octets(32));
      const pad = context.profile?.rules.aesKeyWrapPadMechanism ?? null;
      await expectNothingLeft(context, async () => {
        if (pad === null) return;
        const unwrap = (valueBytes: number | undefined): ReturnType<typeof attempt> =>
          attempt('unwrap', (job) => {
            const kek = job.createObject(knownSecretTemplate({ keyType: 'aes', usage: ['unwrap'] }, knownKey));
            job.unwrapKey(plain(pad), kek, wrapped, aes(valueBytes));
          });
        await expectLengthRule(context, 'an AES-256 key that is unwrapped', 'C_UnwrapKey', unwrap);
        const shorter = await unwrap(16);
        context.expect(!shorter.ok, {
          what: 'CKA_VALUE_LEN 16 for an AES-256 key that is unwrapped',
          call: 'C_UnwrapKey',
          mechanism: mechanismName(pad),
          expected: 'refused: half of the key would be lost',
          seen: shorter.ok ? 'CKR_OK' : shorter.seen,
        });
      });
      if (context.works('aesCbcEncryptDataAes256')) {
        const mechanism: Mechanism = {
          type: CKM_AES_CBC_ENCRYPT_DATA,
          parameter: { kind: 'aes-cbc-encrypt-data', iv: new Uint8Array(16), data: context.random.octets(32) },
        };
        await expectLengthRule(context, 'an AES-256 key from CKM_AES_CBC_ENCRYPT_DATA', 'C_DeriveKey', (valueBytes) =>
          attempt('derive', (job) => {
            const base = job.createObject(knownSecretTemplate({ keyType: 'aes', usage: ['derive'] }, knownKey));
            job.deriveKey(mechanism, base, aes(valueBytes));
          }),
        );
      }
      if (!context.works('ecdh1Null48')) return;
      await withAgreement(context, async ({ pair, peer }) => {
        const derive = (key: ObjectHandle, valueBytes: number | undefined): ReturnType<typeof attempt> =>
          attempt('agree', (job) => void job.deriveKey(ecdh(peer.point), key, aes(valueBytes)));
        await expectLengthRule(context, 'an AES key from CKM_ECDH1_DERIVE with CKD_NULL', 'C_DeriveKey', (valueBytes) =>
          derive(pair.privateKey, valueBytes),
        );
        const longer = await attempt('agree', (job) => {
          const shape = secretTemplate({ keyType: 'generic', usage: ['sign'], valueBytes: 64 });
          job.deriveKey(ecdh(peer.point), pair.privateKey, shape);
        });
        context.expect(!longer.ok, {
          what: 'CKA_VALUE_LEN 64 for a secret of 48 octets, with CKD_NULL',
          call: 'C_DeriveKey',
          mechanism: ECDH,
          expected: 'refused: the secret has not so many octets',
          seen: longer.ok ? 'CKR_OK' : longer.seen,
        });
      });
    },
  },
  {
    ...common,
    id: 'CAP-17',
    title: 'Shared data of key derivation functions may be as long as the FixedInfo of a replication',
    severity: 'strategy',
    flows: ['replication'],
    source: 'NIST SP 800-56C r2 section 4.2 (max_H_inputBits); PKCS#11 v3.0 section 2.3.20 (ulSharedDataLen)',
    remedy: 'take at least 430 octets of shared data; a suite that hashes them first works until then',
    run: async (context) => {
      context.needMechanism(CKM_ECDH1_DERIVE);
      context.need('ecKeyPairP384');
      await withAgreement(context, async ({ pair, peer, z }) => {
        let tried = 0;
        for (const { name, kdf, takesSharedData, derive } of ecdhFunctions) {
          if (!takesSharedData) continue;
          const right: number[] = [];
          const answers: string[] = [];
          for (const length of SHARED_DATA_OCTETS) {
            const sharedData = context.random.octets(length);
            const mechanism = ecdhWith(kdf, length === 0 ? null : sharedData, peer.point);
            const outcome = await tryDerivation(context, mechanism, () => pair.privateKey, derive(z, sharedData, 32));
            if (outcome.isRight) right.push(length);
            else answers.push(`${length}: ${outcome.seen}`);
          }
          if (right.length === 0) continue;
          tried += 1;
          const longest = Math.max(...right);
          const seen =
            answers.length === 0 ? `right up to ${longest}` : `right with ${right.join(', ')}; ${answers.join('; ')}`;
          context.expect(longest >= FIXED_INFO_OCTETS && answers.length === 0, {
            what: `${name} with ${SHARED_DATA_OCTETS.join(', ')} octets of shared data`,
            call: 'C_DeriveKey',
            mechanism: ECDH,
            expected: 'what software derives',
            seen,
          });
        }
        if (tried === 0)
          context.skip('the token has no key derivation function of CKM_ECDH1_DERIVE that takes shared data');
      });
    },
  },
];
