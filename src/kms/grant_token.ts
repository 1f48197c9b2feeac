import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { KmsError } from './errors.js';
import type { GrantStore, StoredGrant } from './grant_store.js';

const VERSION = 1;
const GRANT_ID_BYTES = 32;
const NONCE_BYTES = 16;
const TAG_BYTES = 32;
const HEAD_BYTES = 1 + GRANT_ID_BYTES + NONCE_BYTES;

/** Makes a token of a grant: another one each time, all of the same worth. */
export function makeGrantToken(grant: Pick<StoredGrant, 'grantId' | 'tokenSecret'>): string {
  const head = Buffer.concat([Buffer.of(VERSION), Buffer.from(grant.grantId, 'hex'), randomBytes(NONCE_BYTES)]);
  return Buffer.concat([head, tagOf(grant, head)]).toString('base64');
}

/**
 * Finds the grant that a token was made for.
 *
 * @throws {@link KmsError} `InvalidGrantTokenException` for what is no token of a grant that is there
 */
export function findGrantOfToken(grants: GrantStore, token: string): StoredGrant {
  const octets = Buffer.from(token, 'base64');
  const isWhole = octets.length === HEAD_BYTES + TAG_BYTES && octets[0] === VERSION;
  if (!isWhole || octets.toString('base64') !== token) throw invalidGrantToken();
  const head = octets.subarray(0, HEAD_BYTES);
  const grant = grants.grant(octets.toString('hex', 1, 1 + GRANT_ID_BYTES));
  if (grant === undefined || !timingSafeEqual(tagOf(grant, head), octets.subarray(HEAD_BYTES))) {
    throw invalidGrantToken();
  }
  return grant;
}

function tagOf(grant: Pick<StoredGrant, 'tokenSecret'>, head: Uint8Array): Buffer {
  return createHmac('sha256', grant.tokenSecret).update(head).digest();
}

function invalidGrantToken(): KmsError {
  return new KmsError('InvalidGrantTokenException', 'The grant token does not belong to a grant.');
}
