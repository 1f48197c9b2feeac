import { createECDH } from 'node:crypto';
import { utf8 } from '../../bytes.js';
import {
  CKA_ALLOWED_MECHANISMS,
  CKA_EXTRACTABLE,
  CKA_LABEL,
  CKA_SENSITIVE,
  CKA_TRUSTED,
  CKA_VALUE,
  CKA_WRAP_WITH_TRUSTED,
  CKD_NULL,
  CKM_AES_CBC,
  CKM_AES_ECB,
  CKM_AES_KEY_WRAP,
  CKM_EC_KEY_PAIR_GEN,
  CKM_SHA384_HMAC,
} from '../cryptoki.js';
import type { Job, JobResult, ObjectRef, Output } from '../job.js';
import type { EnforcementName } from '../profile.js';
import { CKR } from '../return_value.js';
import { template } from '../template.js';
import { ecdh1, ecPairTemplates } from './agreement.js';
import { derivedTemplate } from './derivation.js';
import { aesKeyWrap, aesKeyWrapPad, knownKey, knownOctets48 } from './known_key.js';
import {
  plain,
  probeLabel,
  secretKeyTemplate,
  withIv,
  type ProbeContext,
  type SecretKeyShape,
} from './probe_context.js';

interface Answers {
  readonly forbidden: Output<'rv'>;
  readonly permitted: Output<'rv'>;
}

const aesValue = knownOctets48.subarray(0, 32);
const otherLabel = template([CKA_LABEL, utf8(`${probeLabel}, changed`)]);

/** Lets the one step that `step` adds fail, and tells its return value. */
function attempted(job: Job, step: () => void): Output<'rv'> {
  const rv = job.attempt();
  step();
  return rv;
}

/** Attempts in one job what must be refused and what is permitted; all on keys that end with the job. */
async function refusesStep(
  context: ProbeContext,
  name: EnforcementName,
  call: string,
  build: (job: Job) => Answers,
): Promise<void> {
  await context.refuses(name, async () => {
    const { result, outputs } = await context.run(name, build);
    return { call, forbidden: result.rv(outputs.forbidden), permitted: result.rv(outputs.permitted) };
  });
}

/** Probes what a token refuses, by attempting it. */
export async function probeEnforcement(context: ProbeContext): Promise<void> {
  await probeWrapPolicy(context);
  await probeUsage(context);
  await probeReading(context);
  await probeLoosening(context);
  await probeAgreementPolicy(context);
}

async function probeWrapPolicy(context: ProbeContext): Promise<void> {
  const wrap = plain(context.rules.aesKeyWrapPadMechanism ?? CKM_AES_KEY_WRAP);
  const target = (job: Job, more: Partial<SecretKeyShape>): ObjectRef =>
    context.knownKey(job, aesValue, { keyType: 'aes', usage: ['encrypt'], extractable: true, ...more });
  const kek = (job: Job): ObjectRef => context.knownKey(job, knownKey, { keyType: 'aes', usage: ['wrap'] });

  await refusesStep(context, 'extractableFalse', 'C_WrapKey', (job) => {
    const wrapping = kek(job);
    const [free, bound] = [target(job, {}), target(job, { extractable: false })];
    return {
      permitted: attempted(job, () => job.wrapKey(wrap, wrapping, free)),
      forbidden: attempted(job, () => job.wrapKey(wrap, wrapping, bound)),
    };
  });
  await refusesStep(context, 'wrapWithTrusted', 'C_WrapKey', (job) => {
    const wrapping = kek(job);
    const [free, bound] = [target(job, {}), target(job, { more: [[CKA_WRAP_WITH_TRUSTED, true]] })];
    return {
      permitted: attempted(job, () => job.wrapKey(wrap, wrapping, free)),
      forbidden: attempted(job, () => job.wrapKey(wrap, wrapping, bound)),
    };
  });
  await refusesStep(context, 'trustedByUser', 'C_CreateObject', (job) => ({
    permitted: attempted(job, () => target(job, {})),
    forbidden: attempted(job, () => target(job, { more: [[CKA_TRUSTED, true]] })),
  }));
}

async function probeUsage(context: ProbeContext): Promise<void> {
  const wrap = plain(context.rules.aesKeyWrapPadMechanism ?? CKM_AES_KEY_WRAP);
  const wrapped =
    context.rules.aesKeyWrapPadMechanism === null ? aesKeyWrap(knownKey, aesValue) : aesKeyWrapPad(knownKey, aesValue);
  const aes = (job: Job, usage: SecretKeyShape['usage'], more: SecretKeyShape['more'] = []): ObjectRef =>
    context.knownKey(job, knownKey, { keyType: 'aes', usage, more });
  const ecb = plain(CKM_AES_ECB);

  await refusesStep(context, 'allowedMechanisms', 'C_EncryptInit', (job) => {
    const key = aes(job, ['encrypt'], [[CKA_ALLOWED_MECHANISMS, [CKM_AES_ECB]]]);
    return {
      permitted: attempted(job, () => job.encrypt(ecb, key, aesValue)),
      forbidden: attempted(job, () => job.encrypt(withIv(CKM_AES_CBC, new Uint8Array(16)), key, aesValue)),
    };
  });
  const uses: readonly {
    readonly name: EnforcementName;
    readonly call: string;
    readonly right: (job: Job) => ObjectRef;
    readonly wrong: (job: Job) => ObjectRef;
    readonly use: (job: Job, key: ObjectRef, target: ObjectRef) => void;
  }[] = [
    {
      name: 'encryptFalse',
      call: 'C_EncryptInit',
      right: (job) => aes(job, ['encrypt']),
      wrong: (job) => aes(job, ['decrypt']),
      use: (job, key) => void job.encrypt(ecb, key, aesValue),
    },
    {
      name: 'decryptFalse',
      call: 'C_DecryptInit',
      right: (job) => aes(job, ['decrypt']),
      wrong: (job) => aes(job, ['encrypt']),
      use: (job, key) => void job.decrypt(ecb, key, aesValue),
    },
    {
      name: 'wrapFalse',
      call: 'C_WrapKey',
      right: (job) => aes(job, ['wrap']),
      wrong: (job) => aes(job, ['unwrap']),
      use: (job, key, target) => void job.wrapKey(wrap, key, target),
    },
    {
      name: 'unwrapFalse',
      call: 'C_UnwrapKey',
      right: (job) => aes(job, ['unwrap']),
      wrong: (job) => aes(job, ['wrap']),
      use: (job, key) => void job.unwrapKey(wrap, key, wrapped, unwrapTemplate(context)),
    },
    {
      name: 'signFalse',
      call: 'C_SignInit',
      right: (job) => context.knownKey(job, knownOctets48, { keyType: 'generic', usage: ['sign'] }),
      wrong: (job) => context.knownKey(job, knownOctets48, { keyType: 'generic', usage: ['derive'] }),
      use: (job, key) => void job.sign(plain(CKM_SHA384_HMAC), key, aesValue),
    },
  ];
  for (const { name, call, right, wrong, use } of uses) {
    await refusesStep(context, name, call, (job) => {
      const target = context.knownKey(job, aesValue, { keyType: 'aes', usage: ['encrypt'], extractable: true });
      const [rightKey, wrongKey] = [right(job), wrong(job)];
      return {
        permitted: attempted(job, () => use(job, rightKey, target)),
        forbidden: attempted(job, () => use(job, wrongKey, target)),
      };
    });
  }
}

function unwrapTemplate(context: ProbeContext): ReturnType<typeof secretKeyTemplate> {
  const needsLength = context.rules.unwrapValueLength === 'required';
  return secretKeyTemplate({
    keyType: 'aes',
    usage: ['encrypt'],
    ...(needsLength ? { valueBytes: aesValue.length } : {}),
  });
}

/** Whether a secret's value could be read, as the return value that reading it came to. */
function readingValue(result: JobResult, output: Output<'attributes'>): number {
  const state = result.attributes(output).get(CKA_VALUE)?.state;
  return state === 'readable-secret' || state === 'value' ? CKR.CKR_OK : CKR.CKR_ATTRIBUTE_SENSITIVE;
}

async function probeReading(context: ProbeContext): Promise<void> {
  const readings = {
    sensitiveValue: { sensitive: true, extractable: true },
    unextractableValue: { sensitive: false, extractable: false },
  } as const;
  for (const [name, shape] of Object.entries(readings)) {
    await context.refuses(name as keyof typeof readings, async () => {
      const { result, outputs } = await context.run(name, (job) => {
        const open = context.knownKey(job, aesValue, {
          keyType: 'aes',
          usage: ['encrypt'],
          sensitive: false,
          extractable: true,
        });
        const closed = context.knownKey(job, aesValue, { keyType: 'aes', usage: ['encrypt'], ...shape });
        return {
          permitted: job.getAttributes(open, [CKA_VALUE]),
          forbidden: job.getAttributes(closed, [CKA_VALUE]),
        };
      });
      return {
        call: 'C_GetAttributeValue',
        permitted: readingValue(result, outputs.permitted),
        forbidden: readingValue(result, outputs.forbidden),
      };
    });
  }
  await context.refuses('unwrapTemplateSensitive', async () => {
    const wrap = plain(context.rules.aesKeyWrapPadMechanism ?? CKM_AES_KEY_WRAP);
    const wrapped =
      context.rules.aesKeyWrapPadMechanism === null
        ? aesKeyWrap(knownKey, aesValue)
        : aesKeyWrapPad(knownKey, aesValue);
    const { result, outputs } = await context.run('unwrapTemplateSensitive', (job) => {
      const kek = context.knownKey(job, knownKey, { keyType: 'aes', usage: ['unwrap'] });
      const key = job.unwrapKey(wrap, kek, wrapped, unwrapTemplate(context));
      return job.getAttributes(key, [CKA_VALUE, CKA_SENSITIVE, CKA_EXTRACTABLE]);
    });
    const attributes = result.attributes(outputs);
    const isAsAsked = isTrue(attributes.get(CKA_SENSITIVE)?.octets) && !isTrue(attributes.get(CKA_EXTRACTABLE)?.octets);
    const reading = readingValue(result, outputs);
    return { call: 'C_GetAttributeValue', permitted: 0, forbidden: isAsAsked ? reading : CKR.CKR_OK };
  });
}

function isTrue(octets: Uint8Array | undefined): boolean {
  return octets?.length === 1 && octets[0] !== 0;
}

/** Attempts to make an attribute laxer, by setting it and by copying the key; a token may also say yes and do nothing. */
async function probeLoosening(context: ProbeContext): Promise<void> {
  const closed: SecretKeyShape = { keyType: 'aes', usage: ['encrypt'] };
  const attempts: readonly {
    readonly name: EnforcementName;
    readonly by: 'set' | 'copy';
    readonly attribute: number;
    readonly value: boolean;
  }[] = [
    { name: 'setSensitiveFalse', by: 'set', attribute: CKA_SENSITIVE, value: false },
    { name: 'setExtractableTrue', by: 'set', attribute: CKA_EXTRACTABLE, value: true },
    { name: 'copySensitiveFalse', by: 'copy', attribute: CKA_SENSITIVE, value: false },
    { name: 'copyExtractableTrue', by: 'copy', attribute: CKA_EXTRACTABLE, value: true },
  ];
  for (const { name, by, attribute, value } of attempts) {
    await context.refuses(name, async () => {
      const { result, outputs } = await context.run(name, (job) => {
        const key = context.knownKey(job, aesValue, closed);
        const laxer = template([attribute, value]);
        const permitted = attempted(job, () => {
          if (by === 'set') job.setAttributes(key, otherLabel);
          else job.copyObject(key, otherLabel);
        });
        const forbidden = job.attempt();
        let changed = key;
        if (by === 'set') job.setAttributes(key, laxer);
        else changed = job.copyObject(key, laxer);
        const read = job.attempt();
        return { permitted, forbidden, read, attributes: job.getAttributes(changed, [attribute]) };
      });
      const rv = result.rv(outputs.forbidden);
      const call = by === 'set' ? 'C_SetAttributeValue' : 'C_CopyObject';
      const permitted = result.rv(outputs.permitted);
      if (rv !== CKR.CKR_OK || result.rv(outputs.read) !== CKR.CKR_OK) return { call, permitted, forbidden: rv };
      const isLaxer = isTrue(result.attributes(outputs.attributes).get(attribute)?.octets) === value;
      return { call, permitted, forbidden: isLaxer ? CKR.CKR_OK : CKR.CKR_ATTRIBUTE_READ_ONLY };
    });
  }
}

function generate(job: Job, usage: 'derive' | 'none'): ObjectRef {
  return job.generateKeyPair(plain(CKM_EC_KEY_PAIR_GEN), ...ecPairTemplates({ usage })).privateKey;
}

async function probeAgreementPolicy(context: ProbeContext): Promise<void> {
  const peerPoint = createECDH('secp384r1').generateKeys();
  const offCurve = Buffer.from(peerPoint);
  offCurve[96] = (offCurve[96] ?? 0) ^ 1;
  // Whatever a shorter key keeps, this is a derivation that every token with ECDH can do.
  const octets = context.works('ecdh1Null48') ? 48 : 32;
  const derive = (job: Job, key: ObjectRef, point: Uint8Array): Output<'rv'> =>
    attempted(job, () => job.deriveKey(ecdh1(CKD_NULL, null, point), key, derivedTemplate(octets)));

  await refusesStep(context, 'deriveFalse', 'C_DeriveKey', (job) => {
    const [right, wrong] = [generate(job, 'derive'), generate(job, 'none')];
    return { permitted: derive(job, right, peerPoint), forbidden: derive(job, wrong, peerPoint) };
  });
  await refusesStep(context, 'invalidPoint', 'C_DeriveKey', (job) => {
    const key = generate(job, 'derive');
    return { permitted: derive(job, key, peerPoint), forbidden: derive(job, key, offCurve) };
  });
}
