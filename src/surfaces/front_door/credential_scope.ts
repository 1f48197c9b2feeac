import { incomplete } from '../aws/signature_claim.js';

/** What a request says about whom it is for, before any signature has been checked. */
export type RequestRegion =
  | { readonly kind: 'region'; readonly region: string }
  /** No signature at all. */
  | { readonly kind: 'unsigned' }
  /** Something that is no Signature Version 4, or whose credential scope cannot be read. */
  | { readonly kind: 'malformed'; readonly reason: string };

/** `AKID/20261121/us-east-1/kms/aws4_request`; what is wrong with the last two parts, the region's own endpoint says. */
const SCOPE = /^[^/\s]{1,128}\/\d{8}\/([a-z0-9-]{1,32})\/[^/\s]{1,64}\/[^/\s]{1,64}$/u;

/**
 * Finds the region of a request in its SigV4 credential scope, in the Authorization header or in the query of a presigned URL.
 * The region's own endpoint verifies the signature, so a wrong scope gains nothing.
 *
 * @param target - path and query as they came
 * @source AWS General Reference, "Elements of an AWS API request signature", credential scope
 */
export function regionOfRequest(authorization: string | undefined, target: string): RequestRegion {
  if (authorization !== undefined) {
    const credential = /^AWS4-HMAC-SHA256[\s,](?:.*[\s,])?Credential=([^\s,]+)/u.exec(authorization)?.[1];
    const region = credential === undefined ? undefined : SCOPE.exec(credential)?.[1];
    if (region !== undefined) return { kind: 'region', region };
    // In the words of a region's own endpoint: clients cannot tell who refused them.
    return { kind: 'malformed', reason: incomplete(authorization).message };
  }
  const question = target.indexOf('?');
  const credential = question < 0 ? null : new URLSearchParams(target.slice(question + 1)).get('X-Amz-Credential');
  return credential === null ? { kind: 'unsigned' } : regionOfScope(credential);
}

function regionOfScope(credential: string): RequestRegion {
  const region = SCOPE.exec(credential)?.[1];
  if (region !== undefined) return { kind: 'region', region };
  return { kind: 'malformed', reason: 'Credential must be of the form AKID/YYYYMMDD/REGION/SERVICE/aws4_request.' };
}
