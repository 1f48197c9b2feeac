import { mechanismFlagNames } from '../token/flag_names.js';
import { factWords, enforcementWords } from '../token/fact_words.js';
import { enforcementNames, factNames, type TokenIdentity, type TokenProfile } from '../token/profile.js';
import { isAtLeast, SEVERITIES, type Flow, type Severity } from './check.js';
import { comparePerformance, type PerformanceChange } from './performance_comparison.js';
import { keysOf } from './baseline.js';
import type { CheckResult, FlowVerdict, ValidationReport } from './result.js';
import { verdictsOf } from './verdict.js';

/** One side of a comparison: a whole report, or the profile alone, of which only a part can be compared. */
export interface ComparedModule {
  /** As the caller named it: a folder or a file. */
  readonly name: string;
  readonly identity: TokenIdentity;
  readonly profile: TokenProfile | null;
  /** Null where there is the profile alone. */
  readonly report: ValidationReport | null;
}

/** Something that one side can, or is kept from, and the other is not. */
export interface CapabilityChange {
  /** A fact or a rule of a profile. */
  readonly id: string;
  readonly what: string;
  readonly change: 'gained' | 'lost';
  /** What each answered. */
  readonly before: string;
  readonly after: string;
}

/** What became of one flow. */
export interface FlowChange {
  readonly flow: Flow;
  readonly before: FlowVerdict['answer'];
  readonly after: FlowVerdict['answer'];
  /** Ids. */
  readonly strategiesGained: readonly string[];
  readonly strategiesLost: readonly string[];
}

/** What became of a check: `changed` where it was a finding on both sides, of other observations or severity. */
export interface FindingChange {
  readonly id: string;
  readonly title: string;
  readonly change: 'new' | 'gone' | 'changed' | 'not-comparable';
  /** The graver of the two. */
  readonly severity: Severity;
  /** One line for each difference. */
  readonly details: readonly string[];
}

/** A mechanism that only one side lists, or that it lists otherwise. */
export interface MechanismChange {
  readonly mechanism: string;
  readonly change: 'gained' | 'lost' | 'changed';
  readonly detail: string;
}

/** The differences from one module, or one version of it, to another. */
export interface Comparison {
  readonly identity: readonly { readonly member: string; readonly before: string; readonly after: string }[];
  readonly flows: readonly FlowChange[];
  readonly capabilities: readonly CapabilityChange[];
  readonly enforcement: readonly CapabilityChange[];
  readonly findings: readonly FindingChange[];
  readonly mechanisms: readonly MechanismChange[];
  readonly performance: readonly PerformanceChange[];
  /** What could not be compared, and what makes figures less comparable. */
  readonly notes: readonly string[];
}

const identityMembers = [
  'manufacturer',
  'model',
  'libraryDescription',
  'libraryVersion',
  'cryptokiVersion',
  'hardwareVersion',
  'firmwareVersion',
] as const satisfies readonly (keyof TokenIdentity)[];

/**
 * Compares two modules, or two versions of one.
 *
 * @param options - `noise`: ratio within which a difference of performance says nothing, for example 1.5
 */
export function compareModules(
  before: ComparedModule,
  after: ComparedModule,
  options: { readonly noise: number },
): Comparison {
  const profiles =
    before.profile === null || after.profile === null ? null : ([before.profile, after.profile] as const);
  const reports = before.report === null || after.report === null ? null : ([before.report, after.report] as const);
  return {
    identity: identityMembers
      .filter((member) => before.identity[member] !== after.identity[member])
      .map((member) => ({ member, before: before.identity[member], after: after.identity[member] })),
    flows: flowChanges(verdictsIn(before), verdictsIn(after)),
    capabilities: profiles === null ? [] : capabilityChanges(...profiles),
    enforcement: profiles === null ? [] : enforcementChanges(...profiles),
    findings: reports === null ? [] : findingChanges(...reports),
    mechanisms: profiles === null ? [] : mechanismChanges(...profiles),
    performance: reports === null ? [] : comparePerformance(reports[0].checks, reports[1].checks, options),
    notes: [before, after].flatMap(notesOn).concat(reports === null ? [] : notesOnRuns(...reports)),
  };
}

/**
 * What got worse: flows that are not carried any more, capabilities and rules lost, and findings that are new or worse.
 *
 * @param least - findings less grave than this are no regression
 * @returns one text each
 */
export function regressionsOf(comparison: Comparison, least: Severity): readonly string[] {
  return [
    ...comparison.flows
      .filter(({ before, after }) => before === 'yes' && after !== 'yes')
      .map(({ flow, after }) => `${flow}: yes before, ${after} now`),
    // A strategy that is lost is as grave as a finding that says that another one is needed.
    ...(isAtLeast('strategy', least)
      ? comparison.flows.flatMap(({ flow, strategiesLost }) =>
          strategiesLost.map((id) => `${flow}: no longer by ${id}`),
        )
      : []),
    ...(isAtLeast('security', least)
      ? comparison.enforcement
          .filter(({ change }) => change === 'lost')
          .map(({ what }) => `no longer enforced: ${what}`)
      : []),
    ...comparison.findings
      .filter(({ change, severity }) => change !== 'gone' && change !== 'not-comparable' && isAtLeast(severity, least))
      .filter(({ change, details }) => change === 'new' || details.some((text) => text.startsWith('new: ')))
      .map(({ id, severity, details }) => `${id} (${severity}): ${details.join('; ')}`),
  ];
}

function verdictsIn({ report, profile }: ComparedModule): readonly FlowVerdict[] {
  return report?.verdicts ?? verdictsOf(profile, []);
}

function flowChanges(before: readonly FlowVerdict[], after: readonly FlowVerdict[]): readonly FlowChange[] {
  return after.flatMap((now): readonly FlowChange[] => {
    const then = before.find(({ flow }) => flow === now.flow);
    if (then === undefined) return [];
    const ids = ({ strategies }: FlowVerdict): readonly string[] => [...new Set(strategies.map(({ id }) => id))];
    const isKnown = then.answer !== 'unknown' && now.answer !== 'unknown';
    const [earlier, later] = [ids(then), ids(now)];
    return [
      {
        flow: now.flow,
        before: then.answer,
        after: now.answer,
        strategiesGained: isKnown ? later.filter((id) => !earlier.includes(id)) : [],
        strategiesLost: isKnown ? earlier.filter((id) => !later.includes(id)) : [],
      },
    ];
  });
}

function capabilityChanges(before: TokenProfile, after: TokenProfile): readonly CapabilityChange[] {
  return factNames.flatMap((id): readonly CapabilityChange[] => {
    const [then, now] = [before.facts[id], after.facts[id]];
    if (then.works === now.works) return [];
    const answers = { before: then.answer, after: now.answer };
    return [{ id, what: factWords[id], change: now.works ? 'gained' : 'lost', ...answers }];
  });
}

function enforcementChanges(before: TokenProfile, after: TokenProfile): readonly CapabilityChange[] {
  return enforcementNames.flatMap((id): readonly CapabilityChange[] => {
    const [then, now] = [before.enforcement[id], after.enforcement[id]];
    const isSame = (then.enforced === true) === (now.enforced === true);
    // A refusal that says nothing is no rule that was lost.
    if (isSame || then.enforced === null || now.enforced === null) return [];
    const answers = { before: then.answer, after: now.answer };
    return [{ id, what: enforcementWords[id], change: now.enforced ? 'gained' : 'lost', ...answers }];
  });
}

const didRun = ({ status }: CheckResult): boolean => status === 'passed' || status === 'finding';

function findingChanges(before: ValidationReport, after: ValidationReport): readonly FindingChange[] {
  const changes = after.checks.flatMap((now): readonly FindingChange[] => {
    const then = before.checks.find(({ id }) => id === now.id);
    if (then === undefined) {
      if (now.status !== 'finding') return [];
      const { id, title, severity } = now;
      return [{ id, title, severity, change: 'not-comparable', details: ['a finding now, not checked before'] }];
    }
    if (then.status !== 'finding' && now.status !== 'finding') return [];
    const common = { id: now.id, title: now.title, severity: graver(then.severity, now.severity) };
    if (!didRun(then) || !didRun(now)) {
      const text = `${then.status} before, ${now.status} now${reasonOf(now.status === 'finding' ? then : now)}`;
      return [{ ...common, change: 'not-comparable', details: [text] }];
    }
    const [earlier, later] = [keysOf(then), keysOf(now)];
    const fresh = [...later.keys()].filter((key) => !earlier.has(key));
    const gone = [...earlier.keys()].filter((key) => !later.has(key));
    const other = [...later].filter(
      ([key, seen]) => earlier.has(key) && withoutNumbers(earlier.get(key) ?? '') !== withoutNumbers(seen),
    );
    const details = [
      ...(then.status === 'finding' && now.status === 'finding' && then.severity !== now.severity
        ? [
            `${isAtLeast(now.severity, then.severity) ? 'new: ' : ''}severity ${then.severity} before, ${now.severity} now`,
          ]
        : []),
      ...fresh.map((key) => `new: ${key}: ${later.get(key) ?? ''}`),
      ...gone.map((key) => `gone: ${key}`),
      ...other.map(([key, seen]) => `${key}: ${earlier.get(key) ?? ''} before, ${seen} now`),
    ];
    if (then.status !== 'finding') return [{ ...common, severity: now.severity, change: 'new', details }];
    if (now.status !== 'finding') return [{ ...common, severity: then.severity, change: 'gone', details }];
    return details.length === 0 ? [] : [{ ...common, change: 'changed', details }];
  });
  return changes.toSorted((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity));
}

/** Counts and times differ from run to run, and say nothing here. */
function withoutNumbers(text: string): string {
  return text.replace(/\d+(?:\.\d+)?/gu, '0');
}

function graver(a: Severity, b: Severity): Severity {
  return isAtLeast(a, b) ? a : b;
}

function reasonOf({ reason }: CheckResult): string {
  return reason === null ? '' : `: ${reason}`;
}

function mechanismChanges(before: TokenProfile, after: TokenProfile): readonly MechanismChange[] {
  type Listed = TokenProfile['mechanisms'][number];
  const text = ({ keySizeMin, keySizeMax, flags }: Listed): string =>
    `keys ${keySizeMin} to ${keySizeMax}; ${mechanismFlagNames(flags).join(', ') || 'no flags'}`;
  const then = new Map(before.mechanisms.map((each) => [each.type, each]));
  const now = new Map(after.mechanisms.map((each) => [each.type, each]));
  const types = [...new Set([...then.keys(), ...now.keys()])].toSorted((a, b) => a - b);
  return types.flatMap((type): readonly MechanismChange[] => {
    const [earlier, later] = [then.get(type), now.get(type)];
    if (earlier === undefined)
      return later === undefined ? [] : [{ mechanism: later.name, change: 'gained', detail: text(later) }];
    if (later === undefined) return [{ mechanism: earlier.name, change: 'lost', detail: text(earlier) }];
    if (text(earlier) === text(later)) return [];
    return [{ mechanism: later.name, change: 'changed', detail: `${text(earlier)} before, ${text(later)} now` }];
  });
}

function notesOn({ name, report, profile }: ComparedModule): readonly string[] {
  if (report === null) return [`${name} is a profile alone: its findings and figures cannot be compared`];
  return [
    ...(profile === null
      ? [`${name} holds no profile, or one of an earlier version: what its token can do cannot be compared`]
      : []),
    ...(report.isComplete ? [] : [`${name} was interrupted: checks that did not run are not compared`]),
  ];
}

function notesOnRuns(before: ValidationReport, after: ValidationReport): readonly string[] {
  const ids = (report: ValidationReport): ReadonlySet<string> => new Set(report.checks.map(({ id }) => id));
  const [then, now] = [ids(before), ids(after)];
  const missing = [...then].filter((id) => !now.has(id));
  const added = [...now].filter((id) => !then.has(id));
  const machine = ({ environment }: ValidationReport): string => `${environment.processors} × ${environment.processor}`;
  return [
    ...(missing.length > 0 ? [`checks of the first alone: ${missing.join(', ')}`] : []),
    ...(added.length > 0 ? [`checks of the second alone: ${added.join(', ')}`] : []),
    ...(machine(before) === machine(after)
      ? []
      : [`measured on different machines (${machine(before)}; ${machine(after)}): ratios of performance say little`]),
    ...(before.isQuick === after.isQuick ? [] : ['one of the runs was quick: its figures vary more']),
  ];
}
