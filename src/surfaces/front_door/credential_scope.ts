/** What a request says about whom it is for, before any signature has been checked. */
export type RequestRegion =
  | { readonly kind: 'region'; readonly region: string }
  /** No signature at all. */
  | { readonly kind: 'unsigned' }
  /** Something that is no Signature Version 4, or whose credential scope cannot be read. */
  | { readonly kind: 'malformed'; readonly reason: string };

/** `AKID/20261121/us-east-1/kms/aws4_request`; access keys may hold slashes nowhere, and regions are names. */
const SCOPE = /^[^/\s]{1,128}\/\d{8}\/([a-z0-9-]{1,32})\/[a-z0-9-]{1,64}\/aws4_request$/u;

/**
 * Finds the region of a request in its SigV4 credential scope, in the Authorization header or in the query of a presigned URL.
 * The region's own endpoint verifies the signature, so a wrong scope gains nothing.
 *
 * @param target - path and query as they came
 * @source AWS General Reference, "Elements of an AWS API request signature", credential scope
 */
export function regionOfRequest(authorization: string | undefined, target: string): RequestRegion {
  if (authorization !== undefined) {
    if (!authorization.startsWith('AWS4-HMAC-SHA256')) {
      return { kind: 'malformed', reason: 'Authorization header requires an AWS4-HMAC-SHA256 signature.' };
    }
    const credential = /(?:^|[\s,])Credential=([^\s,]+)/u.exec(authorization)?.[1];
    if (credential === undefined) {
      return { kind: 'malformed', reason: "Authorization header requires 'Credential' parameter." };
    }
    return regionOfScope(credential);
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
