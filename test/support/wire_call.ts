import { encodeResponse } from '../../src/surfaces/aws/encode.js';
import { OPERATIONS } from '../../src/surfaces/aws/operations.js';
import type { Call } from '../../src/kms/region.js';

/**
 * Calls an operation by its name with a request as it goes over the wire, without the HTTP around it.
 *
 * @param request - members; octets and dates are encoded as the AWS JSON protocol does
 */
export async function callOverWire(call: Call, operation: string, request: object): Promise<Record<string, unknown>> {
  const decode = OPERATIONS.get(operation);
  if (decode === undefined) throw new Error(`${operation} is not answered`);
  const answer = await decode(Buffer.from(encodeResponse(request))).run(call);
  return { ...answer };
}
