import { LabError } from '../../lab/errors.js';
import { StateDirectory, type LabState } from '../../lab/state_directory.js';

/**
 * The lab that runs in a directory.
 *
 * @throws {@link LabError} `ERR_LAB_NOT_RUNNING`
 */
export function runningLab(dir: string): { readonly directory: StateDirectory; readonly state: LabState } {
  const directory = new StateDirectory(dir);
  const state = directory.readState();
  if (state === undefined || directory.lockHolder() === undefined) {
    throw new LabError('ERR_LAB_NOT_RUNNING', `No lab is running in ${directory.root}`, {
      remedy: 'start one with: keyferry up',
    });
  }
  return { directory, state };
}

/**
 * Asserts that a lab has a region.
 *
 * @throws {@link LabError} `ERR_LAB_REQUEST`
 */
export function requireRegion(state: LabState, region: string): void {
  if (state.regions.includes(region)) return;
  throw new LabError('ERR_LAB_REQUEST', `The lab has no region ${region}`, {
    remedy: `choose one of ${state.regions.join(', ')}`,
  });
}
