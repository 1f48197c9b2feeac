import { computed, signal } from '@preact/signals';
import type { Lab } from '../lab_form.js';
import { leave, send } from './api.js';

/** Undefined until it is known. */
export const lab = signal<Lab | undefined>(undefined);
/** Why it could not be asked for the last time. */
export const labFailure = signal<unknown>(undefined);
/** How far this machine's clock is behind that of the lab's machine, milliseconds. */
const behindMs = signal(0);
const machineMs = signal(Date.now());
setInterval(() => (machineMs.value = Date.now()), 1000);

/** The lab's time without any move, milliseconds since the epoch; changes once a second. */
export const nowMs = computed(() => machineMs.value + behindMs.value);

/** A region's own time, milliseconds since the epoch: moved where the lab has moved it. */
export function regionNowMs(region: string): number {
  return nowMs.value + (lab.value?.clockOffsetMs[region] ?? 0);
}

/** Asks for the lab again. */
export async function refreshLab(): Promise<void> {
  try {
    const found = await send<Lab>('GET', '/api/lab');
    behindMs.value = found.nowMs - Date.now();
    lab.value = found;
    labFailure.value = undefined;
  } catch (error) {
    labFailure.value = error;
  }
}

/** Ends the session. */
export async function logOut(): Promise<void> {
  await send('POST', '/logout', { body: {} });
  leave();
}
