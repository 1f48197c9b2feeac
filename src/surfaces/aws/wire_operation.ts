import type { Call, Operation } from '../../kms/region.js';
import { decodeRequest } from './decode.js';
import type { Decoded, StructureShape } from './shape.js';

/** A request that was decoded: its members for the audit trail, and what answers it. */
export interface DecodedCall {
  readonly request: object;
  run(call: Call): Promise<object>;
}

/** An operation that can be called over the wire. */
export interface WireOperation {
  /**
   * Decodes a request's body.
   *
   * @throws {@link AwsError} as {@link decodeRequest}
   */
  (body: Uint8Array): DecodedCall;
  /** Members of the request. */
  readonly shape: StructureShape;
}

/** Joins the members of a request with what answers it. */
export function operation<S extends StructureShape>(shape: S, run: Operation<Decoded<S>, object>): WireOperation {
  const decode = (body: Uint8Array): DecodedCall => {
    const request = decodeRequest(shape, body);
    return { request, run: (call) => run(call, request) };
  };
  return Object.assign(decode, { shape });
}
