import { tokenObjectIdOf, type StoredMaterial } from '../../src/hsm/material.js';
import {
  CKA_CLASS,
  CKA_EXTRACTABLE,
  CKA_ID,
  CKA_KEY_TYPE,
  CKA_LABEL,
  CKA_PRIVATE,
  CKA_SENSITIVE,
  CKA_TOKEN,
  CKA_VALUE_LEN,
  CKA_WRAP,
  CKK_AES,
  CKM_AES_KEY_GEN,
  CKO_SECRET_KEY,
} from '../../src/token/cryptoki.js';
import { Job } from '../../src/token/job.js';
import { template } from '../../src/token/template.js';
import type { RegionToken } from './region_token.js';

/** Whether the token lets whoever has the PIN load stored material as a key that can be wrapped. */
export async function unwrapAsExtractable(
  { executor, capabilities }: RegionToken,
  single: StoredMaterial,
): Promise<boolean> {
  const search = new Job('find', 'test');
  const label = Buffer.from('keyferry:single-region-domain-key');
  const found = search.findObjects(template([CKA_TOKEN, true], [CKA_LABEL, label]), 1);
  const [domainKey] = (await executor.run(search)).handles(found);
  const keyWrapPad = { type: capabilities.keyWrapPad, parameter: { kind: 'none' } } as const;
  const job = new Job('take out of the region', 'test');
  const outcome = job.attempt();
  job.unwrapKey(
    keyWrapPad,
    domainKey!,
    single.exportedKeyToken,
    template(
      [CKA_CLASS, CKO_SECRET_KEY],
      [CKA_KEY_TYPE, CKK_AES],
      [CKA_TOKEN, false],
      [CKA_PRIVATE, true],
      [CKA_SENSITIVE, true],
      [CKA_EXTRACTABLE, true],
    ),
  );
  return (await executor.run(job)).rv(outcome) === 0;
}

/** Whether it lets him wrap the object that a key is, under a key of his own. */
export async function wrapObject({ executor, capabilities }: RegionToken, single: StoredMaterial): Promise<boolean> {
  const search = new Job('find', 'test');
  const id = Buffer.from(tokenObjectIdOf(single) ?? '', 'hex');
  const found = search.findObjects(template([CKA_TOKEN, true], [CKA_ID, id]), 1);
  const [key] = (await executor.run(search)).handles(found);
  const job = new Job('take out of the region', 'test');
  const own = job.generateKey(
    { type: CKM_AES_KEY_GEN, parameter: { kind: 'none' } },
    template(
      [CKA_CLASS, CKO_SECRET_KEY],
      [CKA_KEY_TYPE, CKK_AES],
      [CKA_VALUE_LEN, 32],
      [CKA_TOKEN, false],
      [CKA_WRAP, true],
    ),
  );
  const outcome = job.attempt();
  job.wrapKey({ type: capabilities.keyWrapPad, parameter: { kind: 'none' } }, own, key!);
  return (await executor.run(job)).rv(outcome) === 0;
}
