import { PKCS11 } from 'pkcs11js';
import { CKA_LABEL, CKA_TOKEN } from '../../src/token/cryptoki.js';
import { Job } from '../../src/token/job.js';
import { template } from '../../src/token/template.js';
import type { RegionToken } from './region_token.js';

/** How many session objects a region's token has, with a label if one is given; the copies of token keys are always there. */
export async function sessionObjects(region: RegionToken, label?: string): Promise<number> {
  const job = new Job('count', 'test');
  const labelled = label === undefined ? [] : template([CKA_LABEL, Buffer.from(label)]);
  const found = job.findObjects([...template([CKA_TOKEN, false]), ...labelled], 4096);
  return (await region.executor.run(job)).handles(found).length;
}

/** Closes all sessions of the token as another part of the process might. */
export function closeAllSessions(region: RegionToken): void {
  const library = new PKCS11();
  library.load(region.token.modulePath);
  const slot = Buffer.alloc(8);
  slot.writeBigUInt64LE(BigInt(region.token.slotId));
  library.C_CloseAllSessions(slot);
}
