import { CKF_SERIAL_SESSION } from '../../../token/cryptoki.js';
import { mechanismName } from '../../../token/names.js';
import { CKR, returnValueName } from '../../../token/return_value.js';
import type { Check } from '../../check.js';
import type { CheckContext } from '../../check_context.js';

const common = { group: 'CAP', timeLimitMs: 20_000 } as const;

/** From v3.0 on a module has the interface "PKCS 11" of the version that it tells; before there was none. */
function expectInterfaces(context: CheckContext, cryptokiVersion: string): void {
  const call = 'C_GetInterfaceList';
  const answer = context.module.native.interfaces();
  const isThree = cryptokiVersion.startsWith('3.');
  if (answer === null) {
    const what = 'interfaces';
    return context.expect(!isThree, {
      what,
      call,
      expected: isThree ? 'a list' : 'any answer',
      seen: 'no such function',
    });
  }
  const isDone = answer.rv === CKR.CKR_OK;
  const seen = isDone
    ? answer.interfaces.map(({ name, major, minor }) => `${name} ${major}.${minor}`).join(', ')
    : returnValueName(answer.rv);
  const standard = answer.interfaces.filter(({ name }) => name === 'PKCS 11');
  const hasClaimed = standard.some(({ major }) => major === 3) || !isThree;
  context.expect(isDone && standard.length > 0 && hasClaimed, {
    ...{ what: 'interfaces', call, seen },
    expected: isThree ? 'PKCS 11 with a version 3' : 'PKCS 11',
  });
}

/** Every mechanism is listed once, and known to `C_GetMechanismInfo`. */
function expectMechanisms(context: CheckContext): void {
  const { raw, slot } = context;
  const listed = raw.call('C_GetMechanismList', (library) => library.C_GetMechanismList(slot.handle));
  const types = listed.value ?? [];
  const unknown = types.flatMap((type) => {
    const { rv, rvName } = raw.call('C_GetMechanismInfo', (library) => library.C_GetMechanismInfo(slot.handle, type));
    return rv === CKR.CKR_OK ? [] : [`${mechanismName(type)}: ${rvName}`];
  });
  const isOnce = new Set(types).size === types.length;
  context.expect(listed.value !== undefined && isOnce && unknown.length === 0, {
    what: 'mechanisms',
    call: 'C_GetMechanismInfo',
    expected: 'each listed once, and known',
    seen:
      listed.value === undefined
        ? listed.rvName
        : `${types.length}${isOnce ? '' : ', some twice'}${unknown.map((text) => `; ${text}`).join('')}`,
  });
}

/** What the module and its sessions are. */
export const moduleCapability: readonly Check[] = [
  {
    ...common,
    id: 'CAP-01',
    title: 'The module tells a version of Cryptoki that there is, its interfaces and its mechanisms',
    severity: 'information',
    flows: ['operations'],
    source:
      'PKCS#11 v2.40 sections 5.4 (C_GetInfo) and 5.5 (C_GetMechanismInfo); v3.0 section 5.4 (C_GetInterfaceList)',
    remedy: 'have C_GetInfo tell the highest version among the interfaces, and C_GetMechanismInfo know what is listed',
    run: async (context) => {
      const { cryptokiVersion, libraryVersion, manufacturer } = context.module.info();
      context.expect(/^(?:2\.[1-4]\d?|3\.[0-2])$/u.test(cryptokiVersion), {
        what: 'cryptokiVersion',
        call: 'C_GetInfo',
        expected: '2.1 to 2.40, or 3.0 to 3.2',
        seen: cryptokiVersion,
      });
      context.record('library', `${manufacturer}, version ${libraryVersion}`, { call: 'C_GetInfo' });
      expectInterfaces(context, cryptokiVersion);
      expectMechanisms(context);
    },
  },
  {
    ...common,
    id: 'CAP-16',
    title: 'Read-only sessions open, and as many sessions as the token tells',
    severity: 'strategy',
    flows: ['operations'],
    source: 'PKCS#11 v2.40 section 5.6 (C_OpenSession), CK_TOKEN_INFO',
    remedy: 'a region opens at most as many sessions as the token has: tell the true number in ulMaxRwSessionCount',
    run: async (context) => {
      const { sessionCountMax, sessionCountRwMax } = context.slot.token();
      const told = (count: number | null): string =>
        count === null ? 'not told' : count === 0 ? 'no limit' : `${count}`;
      context.record('sessions', `${told(sessionCountMax)}, read-write ${told(sessionCountRwMax)}`, {
        call: 'C_GetTokenInfo',
      });
      const readOnly = context.raw.call('C_OpenSession', (library) =>
        library.C_OpenSession(context.slot.handle, CKF_SERIAL_SESSION),
      );
      context.record('a read-only session', readOnly.rvName, { call: 'C_OpenSession' });
      const opened = readOnly.value === undefined ? [] : [readOnly.value];
      // The login's session and those of the executor are open already.
      const wanted = Math.min(64, (sessionCountMax ?? 0) > 0 ? Math.max(0, (sessionCountMax ?? 0) - 4) : 64);
      let refusal: string | undefined;
      while (opened.length < wanted && refusal === undefined) {
        const answer = context.raw.call('C_OpenSession', (library) =>
          library.C_OpenSession(context.slot.handle, CKF_SERIAL_SESSION | 2),
        );
        if (answer.value === undefined) refusal = answer.rvName;
        else opened.push(answer.value);
      }
      const count = opened.length;
      for (const session of opened) context.raw.call('C_CloseSession', (library) => library.C_CloseSession(session));
      context.expect(refusal === undefined, {
        what: `${wanted} sessions at once`,
        call: 'C_OpenSession',
        expected: 'CKR_OK',
        seen: refusal === undefined ? 'CKR_OK' : `${refusal} after ${count}`,
      });
    },
  },
];
