import { CKA_EC_POINT, CKM_EC_KEY_PAIR_GEN } from '../../../token/cryptoki.js';
import { plain } from '../../../token/probe/probe_context.js';
import { derOctetString } from '../../../token/public_key.js';
import type { Check } from '../../check.js';
import { answerOf } from '../../check_context.js';
import { tryDerivation } from '../../derivation.js';
import { ecPairTemplates } from '../../key_template.js';
import { ecdh, withAgreement } from '../../peer.js';
import { expectFacts, expectOneOf, needProfile } from './fact.js';

const common = { group: 'CAP', timeLimitMs: 20_000 } as const;

/** Bits in a mechanism's range where it is told in bits, or octets where a token means those. */
function inRange(bits: number, range: { readonly keySizeMin: number; readonly keySizeMax: number }): boolean {
  return range.keySizeMax === 0 || (range.keySizeMin <= bits && bits <= range.keySizeMax);
}

/** What agreement on P-384 and derivation the token has. */
export const keyAgreementCapability: readonly Check[] = [
  {
    ...common,
    id: 'CAP-02',
    title: 'P-384 key pairs are made in the token',
    severity: 'blocks',
    flows: ['replication', 'signing'],
    source: 'PKCS#11 v2.40 current mechanisms section 2.3.5',
    remedy: 'enable CKM_EC_KEY_PAIR_GEN for P-384 (1.3.132.0.34), also for session objects',
    run: async (context) => {
      const listed = context.slot.mechanisms().find(({ type }) => type === CKM_EC_KEY_PAIR_GEN);
      context.expect(listed !== undefined && inRange(384, listed), {
        what: 'the mechanism is listed with a range that holds 384 bits',
        call: 'C_GetMechanismInfo',
        mechanism: 'CKM_EC_KEY_PAIR_GEN',
        expected: '384 in the range',
        seen: listed === undefined ? 'not listed' : `${listed.keySizeMin} to ${listed.keySizeMax}`,
      });
      needProfile(context);
      expectFacts(context, ['ecKeyPairP384']);
      if (listed === undefined || context.works('ecKeyPairP384')) return;
      // Told apart, because agreement needs pairs that end with their session.
      const lasting = await context.attempt(
        'lasting pair',
        (job) => {
          const shape = { usage: ['sign'], token: true } as const;
          const pair = job.generateKeyPair(plain(CKM_EC_KEY_PAIR_GEN), ...ecPairTemplates(shape));
          job.destroyObject(pair.publicKey);
          job.destroyObject(pair.privateKey);
        },
        () => 'made',
      );
      const call = 'C_GenerateKeyPair';
      if (!lasting.ok) return context.record('a pair with CKA_TOKEN true', answerOf(lasting), { call });
      context.expect(false, {
        ...{ what: 'a pair with CKA_TOKEN false, which ends with its session', call },
        expected: 'made, as one with CKA_TOKEN true is',
        seen: 'refused, and one with CKA_TOKEN true is made',
      });
    },
  },
  {
    ...common,
    id: 'CAP-03',
    title: 'Signatures with P-384: over a digest from outside, or with the hash in the token',
    severity: 'blocks',
    flows: ['signing'],
    source: 'PKCS#11 v2.40 current mechanisms sections 2.3.6 and 2.3.7',
    remedy: 'enable CKM_ECDSA',
    run: async (context) => {
      needProfile(context);
      expectOneOf(context, 'ECDSA on P-384', ['ecdsa', 'ecdsaSha384']);
    },
  },
  {
    ...common,
    id: 'CAP-12',
    title: 'A derived key wraps, unwraps and makes MACs',
    severity: 'blocks',
    flows: ['replication'],
    source: 'PKCS#11 v2.40 sections 5.13 (C_WrapKey, C_UnwrapKey) and 5.11',
    remedy: 'let keys from C_DeriveKey be used with C_WrapKey, C_UnwrapKey and C_Sign',
    run: async (context) => {
      context.need('ecKeyPairP384');
      expectFacts(context, ['derivedKeyWraps', 'derivedKeyUnwraps', 'hmacSha384']);
    },
  },
  {
    ...common,
    id: 'CAP-18',
    title: 'CKA_EC_POINT is a DER OCTET STRING of the uncompressed point, and the bare point agrees',
    severity: 'information',
    flows: ['replication', 'signing'],
    source: 'PKCS#11 v2.40 current mechanisms section 2.3.3',
    remedy: 'none is needed: Keyferry takes the bare point too; other programs may not',
    run: async (context) => {
      context.need('ecKeyPairP384');
      const { result, outputs } = await context.run('EC point', (job) => {
        const pair = job.generateKeyPair(plain(CKM_EC_KEY_PAIR_GEN), ...ecPairTemplates({ usage: ['derive'] }));
        return {
          publicHalf: job.getAttributes(pair.publicKey, [CKA_EC_POINT]),
          privateHalf: job.getAttributes(pair.privateKey, [CKA_EC_POINT]),
        };
      });
      const octets = result.attributes(outputs.publicHalf).get(CKA_EC_POINT)?.octets ?? new Uint8Array();
      const form =
        octets.length === 99 && octets[0] === 4 && octets[1] === 97 && octets[2] === 4
          ? 'DER OCTET STRING'
          : octets.length === 97 && octets[0] === 4
            ? 'the bare point'
            : `${octets.length} octets of another form`;
      context.expect(form === 'DER OCTET STRING', {
        what: 'CKA_EC_POINT of a public key that the token made',
        call: 'C_GetAttributeValue',
        expected: 'DER OCTET STRING',
        seen: form,
      });
      const state = result.attributes(outputs.privateHalf).get(CKA_EC_POINT)?.state ?? 'unavailable';
      context.record('CKA_EC_POINT of the private half', state, { call: 'C_GetAttributeValue' });
      if (!context.works('ecdh1Null48')) return;
      await withAgreement(context, async ({ pair, peer, z }) => {
        const accepts = (point: Uint8Array): ReturnType<typeof tryDerivation> =>
          tryDerivation(context, ecdh(point), () => pair.privateKey, z);
        const bare = await accepts(peer.point);
        context.expect(bare.isRight, {
          ...{ what: 'the bare point in pPublicData', call: 'C_DeriveKey', mechanism: 'CKM_ECDH1_DERIVE' },
          expected: 'what software derives',
          seen: bare.seen,
        });
        const der = await accepts(derOctetString(peer.point));
        const more = { call: 'C_DeriveKey', mechanism: 'CKM_ECDH1_DERIVE' };
        context.record('a DER OCTET STRING in pPublicData', der.seen, more);
      });
    },
  },
];
