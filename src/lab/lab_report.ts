import { suiteGaps } from './authority.js';
import { problemsOf, type LabProblem, type LabReport } from './lab_problems.js';
import { isRunning } from './process_identity.js';
import { proxyStatus, regionStatus } from './region_status.js';
import type { LabState, ProgramState, StateDirectory } from './state_directory.js';

/** Asks every program of a running lab how it is; what does not answer in a few seconds is told to be so. */
export async function readLabReport(
  directory: StateDirectory,
  state: LabState,
): Promise<{ readonly report: LabReport; readonly problems: readonly LabProblem[] }> {
  const [proxy, ...regions] = await Promise.all([
    proxyStatus(directory),
    ...state.regions.map((name) => regionStatus(directory, name)),
  ]);
  const report: LabReport = {
    profile: state.profile,
    programs: Object.fromEntries(
      Object.entries(state.programs).map(([name, program]) => [name, presentState(program)]),
    ),
    proxy,
    regions: Object.fromEntries(
      state.regions.map((name, index) => [name, regions[index] ?? { unavailable: 'it was not asked' }]),
    ),
    cannotReplicate: suiteGaps(directory.authority),
  };
  return { report, problems: problemsOf(report, (program) => directory.log(program)) };
}

/** A state that was written before its process died is not the state any more. */
function presentState(program: ProgramState): ProgramState {
  if (program.process === null || isRunning(program.process)) return program;
  return { ...program, state: 'ended', process: null };
}
