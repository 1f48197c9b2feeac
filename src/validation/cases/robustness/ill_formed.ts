import { CKM_AES_KEY_GEN, CKM_AES_KEY_WRAP } from '../../../token/cryptoki.js';
import { CKR } from '../../../token/return_value.js';
import type { Check } from '../../check.js';
import type { CheckContext } from '../../check_context.js';
import { aRefusal, anyAnswer, driveCases, oneOf, type Allowed } from './driven.js';

const common = { group: 'ROB', flows: ['operations', 'replication'] } as const;

/** What each ill-formed template has to be answered; a token may refuse a contradiction, or take the last word. */
const templateAnswers: Readonly<Record<string, Allowed>> = {
  'an attribute that does not exist': oneOf('CKR_ATTRIBUTE_TYPE_INVALID', 'CKR_TEMPLATE_INCONSISTENT'),
  'an attribute of another vendor': oneOf('CKR_ATTRIBUTE_TYPE_INVALID', 'CKR_TEMPLATE_INCONSISTENT'),
  'an attribute of another kind of object': oneOf('CKR_ATTRIBUTE_TYPE_INVALID', 'CKR_TEMPLATE_INCONSISTENT'),
  'a flag of four octets': oneOf('CKR_ATTRIBUTE_VALUE_INVALID', 'CKR_TEMPLATE_INCONSISTENT'),
  'an attribute twice, with two values': anyAnswer,
  'no length for a key that needs one': oneOf('CKR_TEMPLATE_INCOMPLETE', 'CKR_TEMPLATE_INCONSISTENT'),
  'a length that no AES key has': {
    words: 'CKR_ATTRIBUTE_VALUE_INVALID, CKR_KEY_SIZE_RANGE or CKR_TEMPLATE_INCONSISTENT',
    includes: (rv) =>
      rv === CKR.CKR_ATTRIBUTE_VALUE_INVALID || rv === CKR.CKR_KEY_SIZE_RANGE || rv === CKR.CKR_TEMPLATE_INCONSISTENT,
  },
  'a secret key without a value': oneOf('CKR_TEMPLATE_INCOMPLETE', 'CKR_TEMPLATE_INCONSISTENT'),
};

/** The wrap mechanisms of a token that can be tried, as options of the program. */
function wrapOptions(context: CheckContext): Readonly<Record<string, number>> {
  const pad = context.profile?.rules.aesKeyWrapPadMechanism ?? null;
  return {
    ...(context.works('aesKeyWrap') ? { 'wrap-mechanism': CKM_AES_KEY_WRAP } : {}),
    ...(pad !== null && context.works('aesKeyWrapPad') ? { 'wrap-pad-mechanism': pad } : {}),
    ...(context.works('ecdh1Null48') ? { derives: 1 } : {}),
  };
}

/** What the module does with pointers, octets and templates that are not as they should be. */
export const illFormedRobustness: readonly Check[] = [
  {
    ...common,
    id: 'ROB-02',
    title: 'Calls without a mechanism, a template or a place for the answer are refused',
    severity: 'strategy',
    timeLimitMs: 60_000,
    source: 'PKCS#11 v2.40 section 5.1.6 (CKR_ARGUMENTS_BAD)',
    remedy: 'answer CKR_ARGUMENTS_BAD; Keyferry never makes such a call, other programs that share the process may',
    run: async (context) => {
      context.needMechanism(CKM_AES_KEY_GEN);
      await driveCases(context, 'null-pointers', {}, () => aRefusal);
    },
  },
  {
    ...common,
    id: 'ROB-15',
    title: 'Wrapped keys and points of the wrong length are refused, whatever the length',
    severity: 'blocks',
    timeLimitMs: 60_000,
    source: 'PKCS#11 v2.40 section 5.14 (C_UnwrapKey, C_DeriveKey); RFC 3394 and RFC 5649 section 3',
    remedy: 'check lengths before anything is read or written; Keyferry checks them before it calls the token',
    run: async (context) => {
      const options = wrapOptions(context);
      if (Object.keys(options).length === 0) context.need('aesKeyWrapPad');
      context.needMechanism(CKM_AES_KEY_GEN);
      await driveCases(context, 'wrapped-blobs', options, () => aRefusal);
    },
  },
  {
    ...common,
    id: 'ROB-18',
    title: 'Attributes that are unknown, of the wrong length or missing are refused',
    severity: 'strategy',
    timeLimitMs: 30_000,
    source: 'PKCS#11 v2.40 sections 4.1.1 and 4.1.2',
    remedy: 'read back every attribute that matters: what was refused elsewhere may have been ignored here',
    run: async (context) => {
      context.needMechanism(CKM_AES_KEY_GEN);
      await driveCases(context, 'templates', {}, ({ name }) => templateAnswers[name] ?? aRefusal);
    },
  },
];
