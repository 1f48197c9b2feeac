import { utf8 } from '../../src/bytes.js';
import {
  CKA_CLASS,
  CKA_EXTRACTABLE,
  CKA_ID,
  CKA_KEY_TYPE,
  CKA_LABEL,
  CKA_PRIVATE,
  CKA_SENSITIVE,
  CKA_SIGN,
  CKA_TOKEN,
  CKA_VALUE_LEN,
  CKK_GENERIC_SECRET,
  CKM_GENERIC_SECRET_KEY_GEN,
  CKO_SECRET_KEY,
} from '../../src/token/cryptoki.js';
import type { Job, ObjectRef } from '../../src/token/job.js';
import { template, type Template } from '../../src/token/template.js';
import { plain } from './executor_jobs.js';

/** A sensitive key in a customer's own token; what it wraps may be imported. */
export function customerKey(label: string, extractable = true, id = label): Template {
  return template(
    [CKA_TOKEN, true],
    [CKA_PRIVATE, true],
    [CKA_LABEL, utf8(label)],
    [CKA_ID, utf8(id)],
    [CKA_SENSITIVE, true],
    [CKA_EXTRACTABLE, extractable],
    [CKA_SIGN, true],
  );
}

/** Adds the making of a secret with such a template. */
export function makeCustomerSecret(job: Job, octets: number, key: Template): ObjectRef {
  const secret = job.generateKey(plain(CKM_GENERIC_SECRET_KEY_GEN), [
    ...template([CKA_CLASS, CKO_SECRET_KEY], [CKA_KEY_TYPE, CKK_GENERIC_SECRET], [CKA_VALUE_LEN, octets]),
    ...key,
  ]);
  job.keep(secret);
  return secret;
}
