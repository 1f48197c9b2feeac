import { CKF_SERIAL_SESSION } from '../../../token/cryptoki.js';
import type { Check } from '../../check.js';

const quick = { group: 'CAP', timeLimitMs: 20_000, isQuick: true } as const;

/** What the module and its sessions are. */
export const moduleCapability: readonly Check[] = [
  {
    ...quick,
    id: 'CAP-01',
    title: 'The version of Cryptoki is one that there is',
    severity: 'information',
    flows: ['operations'],
    source: 'PKCS#11 v2.40 section 5.4 (C_GetInfo); v3.0 section 5.4',
    remedy: 'have C_GetInfo tell the version whose functions C_GetFunctionList gives',
    run: async (context) => {
      const { cryptokiVersion, libraryVersion, manufacturer } = context.module.info();
      context.expect(/^(?:2\.[1-4]\d?|3\.[0-2])$/u.test(cryptokiVersion), {
        what: 'cryptokiVersion',
        call: 'C_GetInfo',
        expected: '2.1 to 2.40, or 3.0 to 3.2',
        seen: cryptokiVersion,
      });
      context.record('library', `${manufacturer}, version ${libraryVersion}`, { call: 'C_GetInfo' });
      context.record('mechanisms', String(context.slot.mechanisms().length), { call: 'C_GetMechanismList' });
    },
  },
  {
    ...quick,
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
