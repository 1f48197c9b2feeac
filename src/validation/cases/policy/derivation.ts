import { equalOctets } from '../../../bytes.js';
import { CKA_EC_PARAMS, CKA_VALUE, CKM_ECDSA } from '../../../token/cryptoki.js';
import type { Job, ObjectRef } from '../../../token/job.js';
import type { Mechanism } from '../../../token/mechanism.js';
import { mechanismName } from '../../../token/names.js';
import { knownKey, knownOctets48 } from '../../../token/probe/known_key.js';
import { plain } from '../../../token/probe/probe_context.js';
import { CURVES } from '../../../wire/curve.js';
import type { Check } from '../../check.js';
import { answerOf, type CheckContext } from '../../check_context.js';
import { ecPairTemplates, knownSecretTemplate, secretTemplate } from '../../key_template.js';
import { destroyPair, ecdh, generateTokenPair, makePeer } from '../../peer.js';
import { paddedInitial, wrapPadded, wrapWith } from '../../software_wrap.js';

const common = { group: 'POL', isQuick: true, timeLimitMs: 20_000, severity: 'security' } as const;
const CKM_CONCATENATE_BASE_AND_DATA = 0x362;
const CKM_XOR_BASE_AND_DATA = 0x364;
const CKM_EXTRACT_KEY_FROM_KEY = 0x365;
/** Order of P-384. @source NIST SP 800-186 section 3.2.1.4 */
const ORDER = Buffer.from(
  'ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973',
  'hex',
);

/** Derivations that give the base key, or a part of it, to whoever may read the result. */
function relatedDerivations(): readonly { readonly mechanism: Mechanism; readonly valueBytes: number }[] {
  const zeros = new Uint8Array(32);
  // CK_EXTRACT_PARAMS is a CK_ULONG: the bit at which the key starts.
  const fromFirstBit = new Uint8Array(8);
  return [
    { mechanism: { type: CKM_XOR_BASE_AND_DATA, parameter: { kind: 'string-data', octets: zeros } }, valueBytes: 32 },
    {
      mechanism: { type: CKM_CONCATENATE_BASE_AND_DATA, parameter: { kind: 'string-data', octets: zeros } },
      valueBytes: 64,
    },
    {
      mechanism: { type: CKM_EXTRACT_KEY_FROM_KEY, parameter: { kind: 'octets', octets: fromFirstBit } },
      valueBytes: 16,
    },
  ];
}

/** Blobs of one length that are wrong in different ways. */
function wrongBlobs(random: Uint8Array): readonly (readonly [string, Uint8Array])[] {
  const good = wrapPadded(knownKey, random);
  return [
    ['a bit changed', good.map((octet, at) => (at === 20 ? octet ^ 1 : octet))],
    ['a length of zero', wrapWith(knownKey, paddedInitial(0), random)],
    ['a length that is too large', wrapWith(knownKey, paddedInitial(40), random)],
    ['padding that is not zero', wrapWith(knownKey, paddedInitial(29), new Uint8Array(32).fill(0x5a))],
  ];
}

/** Tries to bring in an EC private key and to use it; whether both went well. */
async function bringIn(
  context: CheckContext,
  value: Uint8Array,
): Promise<{ readonly isUsable: boolean; readonly seen: string }> {
  const tried = await context.attempt(
    'EC private key',
    (job) => {
      const [, shape] = ecPairTemplates({ usage: ['sign'] });
      const key = job.createObject([
        ...shape,
        { type: CKA_EC_PARAMS, value: CURVES['P-384'].oid },
        { type: CKA_VALUE, value },
      ]);
      return job.sign(plain(CKM_ECDSA), key, knownOctets48);
    },
    (result, signature) => result.bytes(signature).length,
  );
  return { isUsable: tried.ok, seen: tried.ok ? 'CKR_OK: it signs' : answerOf(tried) };
}

/** What derivation and bringing keys in give away. */
export const derivationPolicy: readonly Check[] = [
  {
    ...common,
    id: 'POL-15',
    flows: ['replication', 'import'],
    title: 'A refused blob of AES key wrap does not tell why it was refused',
    source: 'RFC 5649 section 3; Bardou and others, CRYPTO 2012',
    remedy: 'give one return value; Keyferry gives one answer to whoever sends a blob in any case',
    run: async (context) => {
      context.need('createSecretKey', 'aesKeyUnwrapPad');
      const mechanism = context.profile?.rules.aesKeyWrapPadMechanism ?? 0;
      const answers = new Map<string, string[]>();
      for (const [what, blob] of wrongBlobs(context.random.octets(32))) {
        const tried = await context.attempt(
          what,
          (job) => {
            const key = job.createObject(knownSecretTemplate({ keyType: 'aes', usage: ['unwrap'] }, knownKey));
            job.unwrapKey(plain(mechanism), key, blob, secretTemplate({ keyType: 'generic', usage: ['sign'] }));
          },
          () => true,
        );
        answers.set(tried.rvName, [...(answers.get(tried.rvName) ?? []), what]);
      }
      context.expect(answers.size === 1 && !answers.has('CKR_OK'), {
        what: 'the answers to blobs of one length that are wrong in different ways',
        call: 'C_UnwrapKey',
        mechanism: mechanismName(mechanism),
        expected: 'one return value, and not CKR_OK',
        seen: [...answers].map(([name, which]) => `${name}: ${which.join(', ')}`).join('; '),
      });
    },
  },
  {
    ...common,
    id: 'POL-16',
    flows: ['replication'],
    title: 'A derivation does not give a sensitive key away',
    source:
      'Clulow, CHES 2003, section 3.3; PKCS#11 v2.40 current mechanisms section 2.31: the result of a sensitive key is sensitive',
    remedy:
      'make the result of a sensitive base key sensitive; until then no key of Keyferry may have CKA_DERIVE beside others’ applications',
    run: async (context) => {
      context.need('createSecretKey');
      const secret = context.random.octets(32);
      let tries = 0;
      for (const { mechanism, valueBytes } of relatedDerivations()) {
        const derive = (job: Job, sensitive: boolean): ObjectRef => {
          const base = job.createObject(knownSecretTemplate({ keyType: 'generic', usage: ['derive'] }, secret));
          const shape = {
            keyType: 'generic',
            usage: ['sign'],
            sensitive,
            extractable: !sensitive,
            valueBytes,
          } as const;
          return job.deriveKey(mechanism, base, secretTemplate(shape));
        };
        // NSS softoken does some mechanisms in a slot that does not list them: only doing it tells.
        const control = await context.attempt(
          'sensitive result',
          (job) => void derive(job, true),
          () => true,
        );
        if (!control.ok) {
          context.record('a sensitive result', answerOf(control), { mechanism: mechanismName(mechanism.type) });
          continue;
        }
        tries += 1;
        const tried = await context.attempt(
          'readable result',
          (job) => void job.readSecret(derive(job, false)),
          () => true,
        );
        // readSecret fails where the result stayed sensitive: then C_GetAttributeValue is what refused.
        context.expect(!tried.ok, {
          what: 'a result with CKA_SENSITIVE false from a base with CKA_SENSITIVE true',
          call: 'C_DeriveKey',
          mechanism: mechanismName(mechanism.type),
          expected: 'refused, or a result that cannot be read',
          seen: tried.ok ? 'CKR_OK: octets of the base can be read' : answerOf(tried),
        });
      }
      if (tries === 0) context.skip('the token has none of the derivations');
    },
  },
  {
    ...common,
    id: 'POL-17',
    severity: 'information',
    flows: ['replication'],
    title: 'Whether a secret that is agreed on with a sensitive key can be asked for in clear',
    source: 'PKCS#11 v2.40 current mechanisms section 2.3.9: the template of C_DeriveKey says it',
    remedy: 'none is needed: the standard leaves it to the template, and Keyferry asks for sensitive keys',
    run: async (context) => {
      context.need('ecKeyPairP384', 'ecdh1Null48');
      const pair = await generateTokenPair(context);
      try {
        const peer = makePeer(context);
        const readable = secretTemplate({
          ...{ keyType: 'generic', usage: ['sign'], sensitive: false, extractable: true, valueBytes: 48 },
        } as const);
        const tried = await context.attempt(
          'readable secret',
          (job) => job.reveal(job.readSecret(job.deriveKey(ecdh(peer.point), pair.privateKey, readable))),
          (result, value) => equalOctets(result.bytes(value), peer.agree(pair.point)),
        );
        const seen = tried.ok ? (tried.value ? 'CKR_OK: the shared secret' : 'CKR_OK: other octets') : answerOf(tried);
        context.expect(!tried.ok || tried.value, {
          what: 'a shared secret with CKA_SENSITIVE false',
          call: 'C_DeriveKey',
          mechanism: 'CKM_ECDH1_DERIVE',
          expected: 'refused, or the shared secret as software computes it',
          seen,
        });
        const own = await context.attempt(
          'own point',
          (job) => void job.deriveKey(ecdh(pair.point), pair.privateKey, readable),
          () => true,
        );
        context.record('agreement with the key’s own point', answerOf(own), { call: 'C_DeriveKey' });
      } finally {
        await destroyPair(context, pair);
      }
    },
  },
  {
    ...common,
    id: 'POL-19',
    flows: ['import'],
    title: 'An EC private key that is none is refused when it comes in or is first used',
    source: 'NIST SP 800-56A r3 section 5.6.2.1.2; FIPS 186-5 appendix A.2',
    remedy: 'check 0 < d < n; Keyferry checks imported keys against their public half itself',
    run: async (context) => {
      context.need('ecdsa');
      const control = await bringIn(context, context.random.octets(48));
      if (!control.isUsable)
        return context.skip(`the token takes no EC private key by C_CreateObject: ${control.seen}`);
      const values: readonly (readonly [string, Uint8Array])[] = [
        ['d = 0', new Uint8Array(48)],
        ['d = n', ORDER],
        ['d of all ones', new Uint8Array(48).fill(0xff)],
        ['d of no octets', new Uint8Array(0)],
      ];
      for (const [what, value] of values) {
        const { isUsable, seen } = await bringIn(context, value);
        context.expect(!isUsable, { what, call: 'C_CreateObject', mechanism: 'CKM_ECDSA', expected: 'refused', seen });
      }
    },
  },
];
