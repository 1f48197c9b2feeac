import { createHash } from 'node:crypto';
import { CKM_AES_KEY_GEN } from '../../../token/cryptoki.js';
import { CKR, returnValueName } from '../../../token/return_value.js';
import type { Check } from '../../check.js';
import type { CheckContext } from '../../check_context.js';
import { factOf, numberOf, type DriverRun } from '../../module_driver.js';
import { aRefusal, anyAnswer, callOf, drive, expectByName, oneOf } from './driven.js';

const common = { group: 'ROB', timeLimitMs: 20_000, flows: ['operations', 'replication'] } as const;
const CKS_RW_PUBLIC_SESSION = '2';
const CKS_RW_USER_FUNCTIONS = '3';
const ok = oneOf('CKR_OK');

/** Says of a fact whether it is the text that is expected. */
function expectFact(context: CheckContext, run: DriverRun, name: string, expected: string, call: string): void {
  const seen = factOf(run, name);
  if (seen === undefined) return;
  context.expect(seen === expected, { what: name, call, expected, seen });
}

function expectSizes(context: CheckContext, run: DriverRun): void {
  for (const answer of run.answers) {
    const isLittle = answer.name.endsWith('too little room');
    const expected = isLittle ? CKR.CKR_BUFFER_TOO_SMALL : CKR.CKR_OK;
    context.expect(answer.rv === expected, {
      what: answer.name,
      ...callOf(answer),
      expected: returnValueName(expected),
      seen: returnValueName(answer.rv),
    });
    const [what = ''] = answer.name.split(': ');
    if (isLittle) expectFact(context, run, `${what}: written beyond the room`, 'no', answer.call);
    const promised = numberOf(run, `${what}: length`);
    const came = numberOf(run, `${what}: octets`);
    if (!answer.name.endsWith('enough room') || promised === undefined || came === undefined) continue;
    context.expect(came <= promised, {
      what: `${what}: the length that was told before`,
      ...callOf(answer),
      expected: 'at least the length that comes',
      seen: `${promised} and ${came} octets`,
    });
  }
  const digest = factOf(run, 'digest of abc');
  if (digest === undefined) return;
  const isRight = digest === createHash('sha256').update('abc').digest('hex');
  context.expect(isRight, {
    what: 'the digest that came after the retry',
    call: 'C_Digest',
    mechanism: 'CKM_SHA256',
    expected: 'the known answer',
    seen: isRight ? 'the known answer' : 'another digest',
  });
}

/** Whether the module keeps to the protocol of its calls: buffers, order, initialisation, logins. */
export const protocolRobustness: readonly Check[] = [
  {
    ...common,
    id: 'ROB-03',
    title: 'Too small a buffer is refused, and the operation goes on with one that is large enough',
    severity: 'strategy',
    source: 'PKCS#11 v2.40 section 5.2',
    remedy: 'answer CKR_BUFFER_TOO_SMALL, write nothing beyond the buffer, and keep the operation active',
    run: async (context) => {
      context.needMechanism(CKM_AES_KEY_GEN);
      const wrap = context.profile?.rules.aesKeyWrapPadMechanism ?? 0;
      const options = {
        ...(context.works('ecdsa') ? { signs: 1 } : {}),
        ...(context.works('aesKeyWrapPad') ? { 'wrap-mechanism': wrap } : {}),
      };
      expectSizes(context, await drive(context, 'buffers', options));
    },
  },
  {
    ...common,
    id: 'ROB-04',
    title: 'Attributes that cannot be told are marked, and those beside them are told',
    severity: 'strategy',
    source: 'PKCS#11 v2.40 section 5.7 (C_GetAttributeValue)',
    remedy: 'ask for one attribute at a time, as Keyferry does',
    run: async (context) => {
      context.needMechanism(CKM_AES_KEY_GEN);
      const run = await drive(context, 'unavailable-attributes');
      const name = 'four attributes';
      expectByName(context, run, { [name]: oneOf('CKR_ATTRIBUTE_SENSITIVE', 'CKR_ATTRIBUTE_TYPE_INVALID') });
      const call = 'C_GetAttributeValue';
      expectFact(context, run, 'CKA_CLASS', 'its length', call);
      expectFact(context, run, 'CKA_VALUE', 'CK_UNAVAILABLE_INFORMATION', call);
      expectFact(context, run, 'CKA_MODULUS', 'CK_UNAVAILABLE_INFORMATION', call);
      expectFact(context, run, 'CKA_LABEL', 'its length', call);
      expectFact(context, run, 'label behind those that are not told', 'told', call);
      expectFact(context, run, 'room of the value that is not told', 'untouched', call);
    },
  },
  {
    ...common,
    id: 'ROB-05',
    title: 'Operations are refused that are not begun, or begun already',
    severity: 'strategy',
    source: 'PKCS#11 v2.40 sections 5.8 to 5.12',
    remedy: 'none is needed: Keyferry begins and ends each operation in one job',
    run: async (context) => {
      context.needMechanism(CKM_AES_KEY_GEN);
      expectByName(context, await drive(context, 'call-order'), {
        'not begun': oneOf('CKR_OPERATION_NOT_INITIALIZED'),
        begun: ok,
        'begun already': oneOf('CKR_OPERATION_ACTIVE'),
        'brought to its end': ok,
        ended: oneOf('CKR_OPERATION_NOT_INITIALIZED'),
      });
    },
  },
  {
    ...common,
    id: 'ROB-07',
    title: 'The module is initialised once at a time, and nothing outlives C_Finalize',
    severity: 'strategy',
    source: 'PKCS#11 v2.40 section 5.4',
    remedy: 'forget all handles with C_Finalize, as Keyferry does',
    run: async (context) => {
      context.needMechanism(CKM_AES_KEY_GEN);
      const notInitialised = oneOf('CKR_CRYPTOKI_NOT_INITIALIZED');
      expectByName(context, await drive(context, 'initialisation'), {
        'before C_Initialize': notInitialised,
        'a second time': oneOf('CKR_CRYPTOKI_ALREADY_INITIALIZED'),
        'before C_Finalize': ok,
        'at its end': ok,
        'after C_Finalize': notInitialised,
        again: ok,
        'the session of before': oneOf('CKR_SESSION_HANDLE_INVALID'),
        'the session object of before': oneOf('CKR_OBJECT_HANDLE_INVALID'),
      });
    },
  },
  {
    ...common,
    id: 'ROB-08',
    title: 'A login and a logout hold for every session of the process',
    severity: 'strategy',
    source: 'PKCS#11 v2.40 sections 5.6 (C_Login, C_Logout) and 4.4; no wrong PIN is ever given',
    remedy: 'never log out where others use the token: Keyferry closes its sessions instead',
    run: async (context) => {
      context.needMechanism(CKM_AES_KEY_GEN);
      const run = await drive(context, 'logins');
      expectByName(context, run, {
        'while logged in': ok,
        'logged in already': oneOf('CKR_USER_ALREADY_LOGGED_IN'),
        'a second session': ok,
        'in the second session': ok,
        'a private key after the logout': aRefusal,
        'logged out already': anyAnswer,
        again: ok,
        'after the second login': ok,
      });
      const state = 'C_GetSessionInfo';
      const user = CKS_RW_USER_FUNCTIONS;
      expectFact(context, run, 'state of a session that is opened after the login', user, state);
      expectFact(context, run, 'private objects while logged in', '1', 'C_FindObjects');
      expectFact(context, run, 'state of the first session after the logout', CKS_RW_PUBLIC_SESSION, state);
      expectFact(context, run, 'private objects after the logout', '0', 'C_FindObjects');
      expectFact(context, run, 'state of the second session after the second login', user, state);
    },
  },
];
