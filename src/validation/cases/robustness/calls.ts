import { utf8 } from '../../../bytes.js';
import {
  CKA_CLASS,
  CKA_LABEL,
  CKA_TOKEN,
  CKA_VALUE,
  CKF_RW_SESSION,
  CKF_SERIAL_SESSION,
  CKM_AES_ECB,
  CKM_AES_KEY_GEN,
  CKM_ECDSA,
  CKO_DATA,
} from '../../../token/cryptoki.js';
import { CKR, returnValueName } from '../../../token/return_value.js';
import type { Template } from '../../../token/template.js';
import type { Check } from '../../check.js';
import { secretTemplate } from '../../key_template.js';
import { VALIDATION_LABEL } from '../../object_watch.js';

const common = { group: 'ROB', timeLimitMs: 20_000, flows: ['operations', 'replication'] } as const;
const NO_HANDLE = Buffer.alloc(8, 0xa5);

/** A template as pkcs11js takes it. */
function rawTemplate(shape: Template): { type: number; value: number | boolean | Buffer }[] {
  return shape.map(({ type, value }) => {
    if (typeof value === 'boolean' || typeof value === 'number') return { type, value };
    if (value instanceof Uint8Array) return { type, value: Buffer.from(value) };
    throw new TypeError('pkcs11js takes no lists and no templates within templates');
  });
}

/** What the module does with calls that are not as they should be. */
export const callRobustness: readonly Check[] = [
  {
    ...common,
    id: 'ROB-01',
    title: 'Handles that name nothing are refused',
    severity: 'strategy',
    source: 'PKCS#11 v2.40 section 5.1',
    remedy: 'check every handle before it is used',
    run: (context) =>
      context.raw.withSession(context.slot.handle, (session) => {
        const { raw } = context;
        const expectRefusal = (
          what: string,
          allowed: readonly number[],
          answer: { call: string; rv: number },
        ): void => {
          context.expect(allowed.includes(answer.rv), {
            what,
            call: answer.call,
            expected: allowed.map(returnValueName).join(' or '),
            seen: returnValueName(answer.rv),
          });
        };
        const bad = [CKR.CKR_SESSION_HANDLE_INVALID] as const;
        const key = [CKR.CKR_KEY_HANDLE_INVALID, CKR.CKR_OBJECT_HANDLE_INVALID] as const;
        const mechanism = { mechanism: CKM_ECDSA };
        const sessions = {
          C_GetSessionInfo: () => raw.call('C_GetSessionInfo', (library) => library.C_GetSessionInfo(NO_HANDLE)),
          C_GenerateRandom: () =>
            raw.call('C_GenerateRandom', (library) => library.C_GenerateRandom(NO_HANDLE, Buffer.alloc(8))),
          C_FindObjectsInit: () => raw.call('C_FindObjectsInit', (library) => library.C_FindObjectsInit(NO_HANDLE, [])),
          C_SignInit: () => raw.call('C_SignInit', (library) => library.C_SignInit(NO_HANDLE, mechanism, NO_HANDLE)),
          C_CloseSession: () => raw.call('C_CloseSession', (library) => library.C_CloseSession(NO_HANDLE)),
        };
        for (const make of Object.values(sessions)) expectRefusal('a session handle that names nothing', bad, make());
        expectRefusal(
          'an object handle that names nothing',
          [CKR.CKR_OBJECT_HANDLE_INVALID],
          raw.call('C_DestroyObject', (library) => library.C_DestroyObject(session, NO_HANDLE)),
        );
        expectRefusal(
          'an object handle that names nothing',
          [CKR.CKR_OBJECT_HANDLE_INVALID],
          raw.call('C_GetAttributeValue', (library) =>
            library.C_GetAttributeValue(session, NO_HANDLE, [{ type: CKA_CLASS }]),
          ),
        );
        const keyed = {
          [CKM_ECDSA]: () => raw.call('C_SignInit', (library) => library.C_SignInit(session, mechanism, NO_HANDLE)),
          [CKM_AES_ECB]: () =>
            raw.call('C_EncryptInit', (library) =>
              library.C_EncryptInit(session, { mechanism: CKM_AES_ECB }, NO_HANDLE),
            ),
        };
        const listed = new Set(context.slot.mechanisms().map(({ type }) => type));
        // Which of a wrong mechanism and a wrong handle is told first is up to the module.
        for (const [type, make] of Object.entries(keyed)) {
          if (listed.has(Number(type))) expectRefusal('a key handle that names nothing', key, make());
        }
        expectRefusal(
          'a mechanism that does not exist',
          [CKR.CKR_MECHANISM_INVALID, CKR.CKR_FUNCTION_NOT_SUPPORTED],
          raw.call('C_GenerateKey', (library) =>
            library.C_GenerateKey(
              session,
              { mechanism: 0x7fff_fff0 },
              rawTemplate(secretTemplate({ keyType: 'aes', usage: [], valueBytes: 32 })),
            ),
          ),
        );
      }),
  },
  {
    ...common,
    id: 'ROB-06',
    title: 'A read-only session makes no token object, and no session is opened without CKF_SERIAL_SESSION',
    severity: 'strategy',
    source: 'PKCS#11 v2.40 sections 5.6 and 5.7',
    remedy: 'none is needed: Keyferry opens serial read-write sessions',
    run: async (context) => {
      const { raw } = context;
      const parallel = raw.call('C_OpenSession', (library) =>
        library.C_OpenSession(context.slot.handle, CKF_RW_SESSION),
      );
      context.expect(parallel.rv === CKR.CKR_SESSION_PARALLEL_NOT_SUPPORTED, {
        what: 'a session without CKF_SERIAL_SESSION',
        call: 'C_OpenSession',
        expected: 'CKR_SESSION_PARALLEL_NOT_SUPPORTED',
        seen: parallel.rvName,
      });
      const extra = parallel.value;
      if (extra !== undefined) raw.call('C_CloseSession', (library) => library.C_CloseSession(extra));
      const readOnly = raw.call('C_OpenSession', (library) =>
        library.C_OpenSession(context.slot.handle, CKF_SERIAL_SESSION),
      );
      const session = readOnly.value;
      if (session === undefined)
        return context.record('a read-only session', readOnly.rvName, { call: 'C_OpenSession' });
      const made = raw.call('C_CreateObject', (library) =>
        library.C_CreateObject(session, [
          { type: CKA_CLASS, value: CKO_DATA },
          { type: CKA_TOKEN, value: true },
          { type: CKA_LABEL, value: Buffer.from(utf8(VALIDATION_LABEL)) },
          { type: CKA_VALUE, value: Buffer.from('x') },
        ]),
      );
      context.expect(made.rv === CKR.CKR_SESSION_READ_ONLY, {
        what: 'a token object in a read-only session',
        call: 'C_CreateObject',
        expected: 'CKR_SESSION_READ_ONLY',
        seen: made.rvName,
      });
      raw.call('C_CloseSession', (library) => library.C_CloseSession(session));
    },
  },
  {
    ...common,
    id: 'ROB-10',
    title: 'A session object is gone when its session is closed',
    severity: 'strategy',
    source: 'PKCS#11 v2.40 section 4.4',
    remedy: 'destroy the objects of a session with it: keys pile up otherwise',
    run: async (context) => {
      context.needMechanism(CKM_AES_KEY_GEN);
      const { raw } = context;
      const shape = rawTemplate(secretTemplate({ keyType: 'aes', usage: ['encrypt'], valueBytes: 32 }));
      const made = await raw.withSession(context.slot.handle, (session) =>
        raw.call('C_GenerateKey', (library) => library.C_GenerateKey(session, { mechanism: CKM_AES_KEY_GEN }, shape)),
      );
      const handle = made.value;
      if (handle === undefined) return context.skip(`C_GenerateKey returned ${made.rvName}`);
      await raw.withSession(context.slot.handle, (session) => {
        const read = raw.call('C_GetAttributeValue', (library) =>
          library.C_GetAttributeValue(session, handle, [{ type: CKA_CLASS }]),
        );
        context.expect(read.rv !== CKR.CKR_OK, {
          what: 'the handle of a session object, after its session was closed',
          call: 'C_GetAttributeValue',
          expected: 'CKR_OBJECT_HANDLE_INVALID',
          seen: read.rvName,
        });
      });
    },
  },
];
