import type { DestinationSession, SourceSession } from './journal.js';
import type { Services } from './services.js';

/** Shows the new state of a session to the observers, and writes it into the audit. */
export function reportSession(
  services: Services,
  role: 'source' | 'destination',
  session: Pick<SourceSession | DestinationSession, 'sid' | 'intent' | 'state' | 'code' | 'keys'>,
  peer: string,
): void {
  const { trace, audit, clock } = services;
  const keyIds = session.keys.map((key) => key.keyId);
  const { sid, intent, state, code } = session;
  trace.emit({ kind: 'session', atMs: clock.nowMs(), role, sid, intent, peer, keyIds, state, code });
  audit.record({
    code: `REPL_${state}`,
    sid,
    kid: null,
    peer,
    keyId: keyIds[0] ?? null,
    field: null,
    detail: code ?? '',
    strategy: null,
  });
}
