import { isUnavailable, type ProxyStatus, type RegionStatus, type Unavailable } from './region_status.js';
import type { ProgramState } from './state_directory.js';

/** A lab as its programs show it. */
export interface LabReport {
  readonly profile: 'full' | 'seed';
  readonly programs: Readonly<Record<string, ProgramState>>;
  readonly proxy: ProxyStatus | Unavailable;
  readonly regions: Readonly<Record<string, RegionStatus | Unavailable>>;
  /** For each two regions whose tokens share no replication suite: why, with the mechanisms that are missing. */
  readonly cannotReplicate: readonly string[];
}

/** Something that is not as it should be, and what to do about it. */
export interface LabProblem {
  /** Name of the program, or `lab`. */
  readonly about: string;
  readonly problem: string;
  /** Null where there is nothing to do but to know. */
  readonly remedy: string | null;
}

/** What is not as it should be in a lab; the worst first. */
export function problemsOf(report: LabReport, logOf: (program: string) => string): readonly LabProblem[] {
  return [
    ...Object.entries(report.programs).flatMap(([name, program]) => programProblems(name, program, logOf)),
    ...Object.entries(report.regions).flatMap(([name, status]) =>
      isUnavailable(status) ? silence(`region ${name}`, status, { report, logOf }) : regionProblems(name, status),
    ),
    ...(isUnavailable(report.proxy) ? silence('proxy', report.proxy, { report, logOf }) : proxyProblems(report.proxy)),
    ...epochProblems(report.regions),
    ...report.cannotReplicate.map((problem): LabProblem => ({
      about: 'lab',
      problem,
      remedy: 'give one of them a token, or a version of its module, that has what the other has',
    })),
    ...weakenings(report),
  ];
}

function programProblems(
  about: string,
  { state, restarts, problem }: ProgramState,
  logOf: (program: string) => string,
): LabProblem[] {
  const why = problem?.message ?? state;
  if (state.startsWith('stopped')) {
    // Where there is no remedy of its own, the message names it.
    const first = problem?.remedy ?? null;
    const again = 'keyferry down && keyferry up';
    return [
      {
        about,
        problem: `stopped, and is not started again: ${why}`,
        remedy: first === null ? `after that: ${again}` : `${first}; after that: ${again}`,
      },
    ];
  }
  const remedy = problem?.remedy ?? `read ${logOf(about)}`;
  if (state !== 'running') return [{ about, problem: `does not run: ${why}`, remedy }];
  if (restarts === 0) return [];
  const times = restarts === 1 ? 'once' : `${restarts} times`;
  return [{ about, problem: `was started again ${times}; the last time it ${why}`, remedy }];
}

/** A program that runs and does not answer; one that does not run has been told of already. */
function silence(
  name: string,
  status: Unavailable,
  lab: { readonly report: LabReport; readonly logOf: (program: string) => string },
): LabProblem[] {
  if (lab.report.programs[name]?.state !== 'running') return [];
  const problem = `runs, and does not say how it is: ${status.unavailable}`;
  return [{ about: name, problem, remedy: `read ${lab.logOf(name)}` }];
}

function regionProblems(name: string, { hsm, replication }: RegionStatus): LabProblem[] {
  const about = `region ${name}`;
  const problems: LabProblem[] = [];
  if (hsm.state !== 'working') {
    problems.push({ about, problem: `its HSM is ${hsm.state}`, remedy: 'look after the token, then restart the lab' });
  }
  if (replication.state !== 'RUNNING') {
    const why = replication.error === null ? '' : `: ${replication.error}`;
    problems.push({ about, problem: `replication is ${replication.state}${why}`, remedy: 'restart the lab' });
  }
  if (replication.epoch === null) {
    problems.push({ about, problem: 'it has no roster', remedy: 'keyferry authority enrol' });
  }
  if (replication.frozen.length > 0) {
    problems.push({
      about,
      problem: `FORK: ${replication.frozen.join(', ')} frozen, because two hand-overs name different primary Regions; nothing of it is replicated here`,
      remedy:
        'read FORK in the audit of the region for who signed both; make a new key, the old one goes on decrypting',
    });
  }
  if (hsm.undestroyed > 0) {
    problems.push({
      about,
      problem: `its token did not destroy ${hsm.undestroyed} ephemeral objects`,
      remedy: 'restart the lab: session objects end with their session',
    });
  }
  return problems;
}

function proxyProblems({ mode, conduct: { hold, next } }: ProxyStatus): LabProblem[] {
  const texts = [
    ...(mode === 'honest' ? [] : [`it is in mode ${mode}`]),
    ...(hold.length === 0 ? [] : [`it holds back what goes to ${hold.join(', ')}`]),
    ...next.map(({ action, destination }) => `it will ${action} the next message to ${destination ?? 'any region'}`),
  ];
  return texts.map((problem) => ({ about: 'proxy', problem, remedy: null }));
}

/** Regions that go by different rosters do not replicate to one another. */
function epochProblems(regions: LabReport['regions']): LabProblem[] {
  const epochs = Object.entries(regions).flatMap(([name, status]) =>
    isUnavailable(status) || status.replication.epoch === null ? [] : [{ name, epoch: status.replication.epoch }],
  );
  if (new Set(epochs.map(({ epoch }) => epoch)).size < 2) return [];
  const text = epochs.map(({ name, epoch }) => `${name} ${epoch}`).join(', ');
  return [
    {
      about: 'lab',
      problem: `the regions go by rosters of different epochs (${text})`,
      remedy: 'they exchange rosters with their next messages; restart the lab to deliver them now',
    },
  ];
}

/** What a lab's configuration has made weaker on purpose. */
function weakenings({ profile, regions }: LabReport): LabProblem[] {
  const problems: LabProblem[] = [];
  if (profile === 'seed') {
    problems.push({
      about: 'lab',
      problem: 'PROFILE SEED: the five steps alone, without the protections; never for keys that matter',
      remedy: 'leave profile out of the lab file',
    });
  }
  const outside = Object.entries(regions).flatMap(([name, status]) =>
    !isUnavailable(status) && status.outsideToken === 'allow' ? [name] : [],
  );
  if (outside.length > 0) {
    problems.push({
      about: 'lab',
      problem: `OUTSIDE TOKEN ALLOWED in ${outside.join(', ')}: imported key octets may be outside the token for a moment`,
      remedy: 'leave hsm.outsideToken out of the lab file',
    });
  }
  return problems;
}
