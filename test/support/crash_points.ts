import type { CommitFault, LabRegionProcess } from './lab_process.js';

/** What a region's journal says of a key: the state of its newest session there; `none` where there is no session. */
export type JournalState = 'none' | 'INTENT' | 'SENT' | 'DONE' | 'OFFERED' | 'UNWRAPPING' | 'INSTALLED' | 'CLOSED';

/** Where in a replication a region's process is killed. */
export type CrashMoment =
  /** Around a PKCS#11 call of that name: the first or the last one that the role makes. */
  | {
      readonly kind: 'call';
      readonly name: string;
      readonly which: 'first' | 'last';
      readonly when: 'before' | 'after';
    }
  /** Around the commit by which the session gets that state. */
  | { readonly kind: 'commit'; readonly state: Exclude<JournalState, 'none'>; readonly when: 'before' | 'after' }
  /** When the proxy has stored that message, before the region knows it. */
  | { readonly kind: 'release'; readonly message: 'intent' | 'offer' | 'transfer' | 'confirm' | 'close' };

/** A gap between two steps of a replication. */
export interface CrashPoint {
  readonly role: 'source' | 'destination';
  readonly step: string;
  readonly moment: CrashMoment;
  /** State that the dead process must have left in its journal. */
  readonly leaves: JournalState;
}

const source = (step: string, leaves: JournalState, moment: CrashMoment): CrashPoint => ({
  role: 'source',
  step,
  moment,
  leaves,
});
const destination = (step: string, leaves: JournalState, moment: CrashMoment): CrashPoint => ({
  role: 'destination',
  step,
  moment,
  leaves,
});
const call = (name: string, which: 'first' | 'last', when: 'before' | 'after'): CrashMoment => ({
  kind: 'call',
  name,
  which,
  when,
});
const commit = (state: Exclude<JournalState, 'none'>, when: 'before' | 'after'): CrashMoment => ({
  kind: 'commit',
  state,
  when,
});
const release = (message: Extract<CrashMoment, { kind: 'release' }>['message']): CrashMoment => ({
  kind: 'release',
  message,
});

/** Every gap between the steps of one replication, in order for each role. */
export const CRASH_POINTS: readonly CrashPoint[] = [
  source('M0 signed, not journalled', 'none', commit('INTENT', 'before')),
  source('M0 journalled, not released', 'INTENT', commit('INTENT', 'after')),
  source('M0 released', 'INTENT', release('intent')),
  source('M1 received', 'INTENT', call('C_GenerateKeyPair', 'first', 'before')),
  source('RAKA made', 'INTENT', call('C_GenerateKeyPair', 'first', 'after')),
  source('RAKA tested', 'INTENT', call('C_DeriveKey', 'first', 'after')),
  source('RWK and KCK derived', 'INTENT', call('C_DeriveKey', 'last', 'after')),
  source('material loaded', 'INTENT', call('C_UnwrapKey', 'last', 'after')),
  source('material wrapped', 'INTENT', call('C_WrapKey', 'last', 'after')),
  source('RAKA, RWK and KCK being destroyed', 'INTENT', call('C_DestroyObject', 'last', 'before')),
  source('M2 signed, not journalled', 'INTENT', commit('SENT', 'before')),
  source('M2 journalled, not released', 'SENT', commit('SENT', 'after')),
  source('M2 released', 'SENT', release('transfer')),
  source('M3 received', 'SENT', call('C_Sign', 'last', 'before')),
  source('M4 signed, not journalled', 'SENT', commit('DONE', 'before')),
  source('M4 journalled, not released', 'DONE', commit('DONE', 'after')),
  source('M4 released', 'DONE', release('close')),

  destination('M0 received', 'none', call('C_GenerateKeyPair', 'first', 'before')),
  destination('RAKB made', 'none', call('C_GenerateKeyPair', 'first', 'after')),
  destination('M1 signed, not journalled', 'none', commit('OFFERED', 'before')),
  destination('M1 journalled, not released', 'OFFERED', commit('OFFERED', 'after')),
  destination('M1 released', 'OFFERED', release('offer')),
  destination('M2 received', 'OFFERED', commit('UNWRAPPING', 'before')),
  destination('unwrapping journalled', 'UNWRAPPING', commit('UNWRAPPING', 'after')),
  destination('RWK and KCK derived', 'UNWRAPPING', call('C_DeriveKey', 'last', 'after')),
  destination('material about to be unwrapped', 'UNWRAPPING', call('C_UnwrapKey', 'first', 'before')),
  destination('material unwrapped', 'UNWRAPPING', call('C_UnwrapKey', 'last', 'after')),
  destination('material wrapped under the domain key', 'UNWRAPPING', call('C_WrapKey', 'last', 'after')),
  destination('RAKB, RWK and KCK being destroyed', 'UNWRAPPING', call('C_DestroyObject', 'last', 'before')),
  destination('M3 signed, not committed', 'UNWRAPPING', commit('INSTALLED', 'before')),
  destination('committed, M3 not released', 'INSTALLED', commit('INSTALLED', 'after')),
  destination('M3 released', 'INSTALLED', release('confirm')),
  destination('M4 received', 'INSTALLED', commit('CLOSED', 'before')),
  destination('M4 journalled', 'CLOSED', commit('CLOSED', 'after')),
];

/** Calls of PKCS#11 that change something or make something of a key. */
const COUNTED = [
  'C_GenerateKeyPair',
  'C_DeriveKey',
  'C_UnwrapKey',
  'C_WrapKey',
  'C_Sign',
  'C_Encrypt',
  'C_DestroyObject',
];

/** How often one role calls each function in one replication, in order of the calls. */
export type RoleCalls = readonly string[];

/** The calls of {@link COUNTED} among lines that the shim wrote. */
export function countedCalls(lines: readonly string[]): RoleCalls {
  return lines.flatMap((line) => {
    const name = line.split(' ')[0] ?? '';
    return COUNTED.includes(name) ? [name] : [];
  });
}

/**
 * Arms the kill in a region's process; the moments that the proxy sees are armed there.
 *
 * @param calls - of that role in a replication without faults
 */
export function armCrash(region: LabRegionProcess, point: CrashPoint, keyId: string, calls: RoleCalls): void {
  const { moment } = point;
  if (moment.kind === 'call') {
    const count = calls.filter((name) => name === moment.name).length;
    if (count === 0) throw new Error(`a replication makes no call of ${moment.name} as ${point.role}`);
    armCall(region, { name: moment.name, nth: moment.which === 'first' ? 1 : count, when: moment.when });
  }
  if (moment.kind === 'commit') region.setCommitFault(commitFault(moment, keyId));
}

/** Arms the kill around the nth call of a function from now on. */
export function armCall(
  region: LabRegionProcess,
  at: { readonly name: string; readonly nth: number; readonly when: 'before' | 'after' },
): void {
  region.setTokenFaults(`${at.name} ${at.nth} ${at.when === 'before' ? 'kill' : 'kill-after'}`);
}

/** Lets a region live. */
export function disarm(region: LabRegionProcess): void {
  region.setTokenFaults();
  region.setCommitFault(null);
}

const SOURCE_STATES: readonly string[] = ['INTENT', 'SENT', 'DONE'];

function commitFault(
  { state, when }: { readonly state: JournalState; readonly when: 'before' | 'after' },
  keyId: string,
): CommitFault {
  const about = `keys LIKE '%${keyId}%'`;
  if (SOURCE_STATES.includes(state)) {
    return { when, query: `SELECT 1 FROM replication_source_sessions WHERE state = '${state}' AND ${about}` };
  }
  const is = state === 'CLOSED' ? "state = 'INSTALLED' AND closed = 1" : `state = '${state}'`;
  return { when, query: `SELECT 1 FROM replication_destination_sessions WHERE ${is} AND ${about}` };
}
