import { shortId } from '../../lab/demo_script.js';
import type { LabProblem, LabReport } from '../../lab/lab_problems.js';
import { isUnavailable, type ProxyStatus, type RegionStatus, type Unavailable } from '../../lab/region_status.js';
import type { LabState } from '../../lab/state_directory.js';
import type { Output } from './output.js';

type Colours = Output['colours'];

/** Sessions shown of each region and direction; the others are counted. */
const SESSIONS_MAX = 5;
/** Columns for the name of a fact. */
const NAME_COLUMNS = 9;

/** What `keyferry status` shows to people. */
export function describeLab(
  lab: {
    readonly state: LabState;
    readonly report: LabReport;
    readonly problems: readonly LabProblem[];
    /** Whether everything is shown that a program says, with whole ids. */
    readonly isVerbose: boolean;
  },
  colours: Colours,
): string {
  const { state, report, problems, isVerbose } = lab;
  const lines = [
    `endpoint ${colours.bold(state.endpoint)}, partition ${state.partition}, account ${state.account}`,
    ...problems.flatMap((problem) => describeProblem(problem, { colours, isVerbose })),
  ];
  for (const [name, status] of Object.entries(report.regions)) {
    lines.push('', heading(name, `region ${name}`), ...describe(status, (found) => regionLines(found, colours)));
  }
  lines.push('', heading('proxy', 'proxy'), ...describe(report.proxy, proxyLines));
  lines.push('', heading('front door', 'front-door'));
  if (report.programs['console'] !== undefined) lines.push('', heading('console', 'console'));
  return lines.join('\n');

  function heading(title: string, program: string): string {
    const { state: text = 'unknown', url = '', process } = report.programs[program] ?? {};
    const isRunning = text === 'running';
    const word = isRunning ? colours.green('running') : colours.red('not running');
    const pid = process === undefined || process === null ? '' : colours.dim(`, process ${process.pid}`);
    return `${colours.bold(title)}  ${word}  ${url}${pid}`;
  }

  function describe<Status extends object>(
    status: Status | Unavailable,
    lines: (status: Status) => readonly (readonly [string, string])[],
  ): readonly string[] {
    if (isUnavailable(status)) return [];
    const facts = isVerbose ? everything(status as Readonly<Record<string, unknown>>) : lines(status);
    const columns = Math.max(NAME_COLUMNS, ...facts.map(([name]) => name.length));
    return facts.map(([name, text]) => `  ${colours.dim(name.padEnd(columns))} ${text}`);
  }
}

function describeProblem(
  { about, problem, remedy }: LabProblem,
  { colours, isVerbose }: { readonly colours: Colours; readonly isVerbose: boolean },
): readonly string[] {
  const [first = '', ...more] = problem.split('\n');
  return [
    '',
    `${colours.red('!')} ${colours.bold(about)} ${first}`,
    ...(isVerbose ? more : []),
    ...(remedy === null ? [] : [`  ${colours.dim('What to do:')} ${remedy}`]),
  ];
}

function regionLines(status: RegionStatus, colours: Colours): readonly (readonly [string, string])[] {
  const { hsm, replication, time } = status;
  const isWell = hsm.state === 'working' && replication.state === 'RUNNING';
  const busy = hsm.busyMs === 0 ? '' : `, token busy for ${(hsm.busyMs / 1000).toFixed(1)} s`;
  const state = `HSM ${hsm.state}${busy}, replication ${replication.state}`;
  const sessions = [
    ...sessionLines(replication.outgoing, 'to'),
    ...sessionLines(replication.incoming, 'from'),
    ...waitingLines(replication.waiting),
    ...handoverLines(replication.handovers),
  ];
  return [
    ['token', hsm.fingerprint.replaceAll(' / ', ', ')],
    ['roster', `epoch ${replication.epoch ?? 'none'}, RSK ${hsm.signingKeys.map(shortId).join(', ')}`],
    ['suites', `${hsm.suites.join(', ')}; messages ${hsm.dataSuites.join(', ')}`],
    ['state', isWell ? state : colours.red(state)],
    ...(sessions.length === 0
      ? [['sessions', 'none open, none waiting'] as const]
      : sessions.map((text, index) => [index === 0 ? 'sessions' : '', text] as const)),
    ...(hsm.keyStorage === 'token' ? [['keys', `new ones rest in the token, ${hsm.tokenObjects} there`] as const] : []),
    ['ephemeral', `${hsm.ephemeralKeys} agreement and session keys in the token`],
    ...(time.offsetMs === 0 ? [] : [['clock', `${time.now}, ${colours.yellow(offsetText(time.offsetMs))}`] as const]),
    ...(status.outsideToken === 'allow' ? [['imports', colours.red('OUTSIDE TOKEN ALLOWED')] as const] : []),
    ...(status.profile === 'seed' ? [['profile', colours.red('SEED')] as const] : []),
  ];
}

type Session = RegionStatus['replication']['outgoing'][number];

function sessionLines(sessions: readonly Session[], preposition: 'to' | 'from'): string[] {
  return bounded(
    sessions.map(
      ({ sid, peer, state, keyIds }) =>
        `${keyIds.join(', ')} ${preposition} ${peer}: ${state}${sid === null ? '' : `, session ${shortId(sid)}`}`,
    ),
  );
}

function waitingLines(waiting: RegionStatus['replication']['waiting']): string[] {
  return bounded(
    waiting.map(({ keyId, destination, attempts }) =>
      attempts === 0
        ? `${keyId} to ${destination}: waits`
        : `${keyId} to ${destination}: waits, after ${attempts} attempt${attempts === 1 ? '' : 's'}`,
    ),
  );
}

function handoverLines(handovers: RegionStatus['replication']['handovers']): string[] {
  return bounded(
    handovers.map(
      ({ keyId, destination, state }) =>
        `${keyId} is handed over to ${destination}: ${state === 'IN_DOUBT' ? 'in doubt until that region answers' : 'waits for its answer'}`,
    ),
  );
}

function bounded(lines: readonly string[]): string[] {
  const more = lines.length - SESSIONS_MAX;
  return more > 0 ? [...lines.slice(0, SESSIONS_MAX), `and ${more} more`] : [...lines];
}

function proxyLines({ mode, waiting }: ProxyStatus): readonly (readonly [string, string])[] {
  const loads = Object.entries(waiting).filter(([, { messages }]) => messages > 0);
  const text = loads.map(([region, { messages, octets }]) => `${messages} for ${region} (${octets} octets)`).join(', ');
  return [
    ['mode', mode],
    ['messages', text === '' ? 'none waiting' : text],
  ];
}

/** `2 d 3 h ahead`. */
function offsetText(offsetMs: number): string {
  const units = [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['min', 60_000],
    ['s', 1_000],
  ] as const;
  let restMs = offsetMs;
  const parts = units.flatMap(([unit, milliseconds]) => {
    const count = Math.floor(restMs / milliseconds);
    restMs -= count * milliseconds;
    return count === 0 ? [] : [`${count} ${unit}`];
  });
  return `${parts.join(' ') || `${offsetMs} ms`} ahead`;
}

/** Every member and what it says, nesting written with dots. */
function everything(value: Readonly<Record<string, unknown>>, prefix = ''): (readonly [string, string])[] {
  return Object.entries(value).flatMap(([key, member]): (readonly [string, string])[] => {
    const name = `${prefix}${key}`;
    if (Array.isArray(member)) {
      if (member.every((item) => typeof item !== 'object')) return [[name, member.join(', ') || '-']];
      return member.flatMap((item, index) => everything({ [`${name}.${index}`]: item as unknown }));
    }
    if (typeof member === 'object' && member !== null) return everything(member as Record<string, unknown>, `${name}.`);
    return [[name, typeof member === 'string' ? member : JSON.stringify(member)]];
  });
}
