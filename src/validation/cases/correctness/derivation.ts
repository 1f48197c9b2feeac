import {
  CKM_ECDH1_DERIVE,
  CKM_HKDF_DERIVE,
  CKM_SHA256,
  CKM_SHA256_HMAC,
  CKM_SP800_108_COUNTER_KDF,
} from '../../../token/cryptoki.js';
import { fromHex } from '../../../bytes.js';
import type { Mechanism } from '../../../token/mechanism.js';
import { mechanismName } from '../../../token/names.js';
import { knownKey } from '../../../token/probe/known_key.js';
import type { Check } from '../../check.js';
import type { CheckContext } from '../../check_context.js';
import { ecdhFunctions, secretDerivations, tryDerivation, type DerivationOutcome } from '../../derivation.js';
import { knownSecretTemplate } from '../../key_template.js';
import { withAgreement } from '../../peer.js';
import { counterModeVector, hkdfVectors } from '../../vectors/derivation.js';

/** Says what came of a derivation that the token does; a refusal is no error of it, CAP-04 and CAP-05 say it. Whether it did it. */
function observe(context: CheckContext, what: string, mechanism: number, outcome: DerivationOutcome): boolean {
  const more = { call: 'C_DeriveKey', mechanism: mechanismName(mechanism) };
  if (!outcome.isDone) return false;
  context.expect(outcome.isRight, { what, ...more, expected: 'what software derives', seen: outcome.seen });
  return true;
}

function publishedDerivations(): readonly {
  readonly name: string;
  readonly secret: string;
  readonly derived: string;
  readonly mechanism: Mechanism;
}[] {
  const { info, ...counter } = counterModeVector;
  return [
    ...hkdfVectors.map(({ name, secret, salt, info: label, derived }) => ({
      ...{ name: `RFC 5869, ${name}`, secret, derived },
      mechanism: {
        type: CKM_HKDF_DERIVE,
        parameter: {
          ...{ kind: 'hkdf', extract: true, expand: true, prf: CKM_SHA256, info: fromHex(label) },
          salt: salt === '' ? null : fromHex(salt),
        },
      } satisfies Mechanism,
    })),
    {
      ...{ name: `SP 800-108, ${counter.name}`, secret: counter.secret, derived: counter.derived },
      mechanism: {
        type: CKM_SP800_108_COUNTER_KDF,
        parameter: { kind: 'sp800-108-counter', prf: CKM_SHA256_HMAC, fixedInput: fromHex(info) },
      },
    },
  ];
}

/** Key derivation against published answers and software. */
export const derivationCorrectness: readonly Check[] = [
  {
    group: 'COR',

    timeLimitMs: 60_000,
    id: 'COR-06',
    title: 'Derived keys are what the standards derive, also where they take more than one round',
    severity: 'blocks',
    flows: ['replication', 'operations'],
    source:
      'ANSI X9.63; NIST SP 800-56C r2 section 4 (the counter before the secret); NIST SP 800-108 r1 section 4.1 and its CAVP vectors; RFC 5869 appendix A',
    remedy: 'correct the derivation: two regions, or two versions of a token, get different keys',
    run: async (context) => {
      let done = 0;
      if (context.works('ecKeyPairP384')) {
        await withAgreement(context, async ({ pair, peer, z }) => {
          for (const { name, kdf, blockOctets, takesSharedData, derive } of ecdhFunctions) {
            const lengths = takesSharedData ? [blockOctets, 2 * blockOctets, 2 * blockOctets + 1] : [z.length];
            for (const length of lengths) {
              const sharedData = context.random.octets(33);
              const mechanism: Mechanism = {
                type: CKM_ECDH1_DERIVE,
                parameter: {
                  kind: 'ecdh1',
                  kdf,
                  sharedData: takesSharedData ? sharedData : null,
                  publicData: peer.point,
                },
              };
              const expected = derive(z, sharedData, length);
              const outcome = await tryDerivation(context, mechanism, () => pair.privateKey, expected);
              if (observe(context, `${name}, ${length} octets`, CKM_ECDH1_DERIVE, outcome)) done += 1;
            }
          }
        });
      }
      if (context.works('createSecretKey')) {
        for (const { name, base, mechanism, derived } of secretDerivations(context, knownKey)) {
          const shape = { keyType: base, usage: ['derive'] } as const;
          const outcome = await tryDerivation(
            context,
            mechanism,
            (job) => job.createObject(knownSecretTemplate(shape, knownKey)),
            derived,
          );
          if (observe(context, `${name}, ${derived.length} octets`, mechanism.type, outcome)) done += 1;
        }
        for (const { name, secret, derived, mechanism } of publishedDerivations()) {
          const shape = { keyType: 'generic', usage: ['derive'] } as const;
          const outcome = await tryDerivation(
            context,
            mechanism,
            (job) => job.createObject(knownSecretTemplate(shape, fromHex(secret))),
            fromHex(derived),
          );
          if (observe(context, name, mechanism.type, outcome)) done += 1;
        }
      }
      if (done === 0) context.skip('the token derives no key that could be compared');
    },
  },
];
