import { z } from 'zod';
import { askAdmin } from './admin_client.js';
import type { StateDirectory } from './state_directory.js';

const linkForm = z.object({ url: z.url(), principal: z.string() });

/** A link at which a browser logs in to the console, once. */
export type ConsoleLink = Readonly<z.infer<typeof linkForm>>;

/**
 * Asks a lab's console for a login link.
 *
 * @param principal - ARN, its end, or access key id; null for the account's root
 * @throws {@link LabError} `ERR_LAB_REQUEST` where no console runs, or it knows no such principal
 */
export async function consoleLink(directory: StateDirectory, principal: string | null): Promise<ConsoleLink> {
  const ask = { method: 'POST', path: '/login', body: { principal } } as const;
  return linkForm.parse(await askAdmin(directory.consoleSocket, ask));
}
