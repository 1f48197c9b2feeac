import { createPublicKey, type KeyObject } from 'node:crypto';
import { CKA_MODULUS, CKA_PUBLIC_EXPONENT, CKM_RSA_PKCS_KEY_PAIR_GEN } from '../token/cryptoki.js';
import type { ObjectHandle } from '../token/object.js';
import { plain } from '../token/probe/probe_context.js';
import type { CheckContext } from './check_context.js';
import type { KeyUse } from '../hsm/key_shape.js';
import { rsaPairTemplates } from './key_template.js';

/** An RSA-2048 pair: the private half in the token, the public half as Node has it. */
export interface RsaPair {
  readonly privateKey: ObjectHandle;
  readonly publicKey: KeyObject;
}

/** Makes a pair for some work, and destroys it afterwards; ends the check where the token makes none. */
export async function withRsaPair(
  context: CheckContext,
  usage: readonly KeyUse[],
  work: (pair: RsaPair) => Promise<void>,
): Promise<void> {
  context.need('rsaKeyPair2048');
  const { result, outputs } = await context.run('RSA pair', (job) => {
    const pair = job.generateKeyPair(plain(CKM_RSA_PKCS_KEY_PAIR_GEN), ...rsaPairTemplates({ usage }, 2048));
    const read = job.getAttributes(pair.publicKey, [CKA_MODULUS, CKA_PUBLIC_EXPONENT]);
    return { read, privateKey: job.keep(pair.privateKey) };
  });
  const privateKey = result.object(outputs.privateKey);
  const number = (type: number): string =>
    Buffer.from(result.attributes(outputs.read).get(type)?.octets ?? []).toString('base64url');
  try {
    const key = { kty: 'RSA', n: number(CKA_MODULUS), e: number(CKA_PUBLIC_EXPONENT) };
    await work({ privateKey, publicKey: createPublicKey({ format: 'jwk', key }) });
  } finally {
    await context.run('destroy', (job) => job.destroyObject(privateKey));
  }
}
