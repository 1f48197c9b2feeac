import type { IncomingHttpHeaders } from 'node:http';
import type { Caller } from '../../kms/region.js';

/** A request whose signature was verified, for a service beside AWS KMS. */
export interface ServiceRequest {
  readonly requestId: string;
  readonly method: string;
  /** Path without query, as it was sent. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** At most `LIMITS.awsBodyBytesMax` octets. */
  readonly body: Uint8Array;
  readonly caller: Caller;
}

/** An answer, ready to be sent; the endpoint adds the request id. */
export interface ServiceAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An AWS service that a region's endpoint answers besides AWS KMS; chosen by the service in the signature's credential scope. */
export interface AwsService {
  /** Service name in the credential scope, for example `monitoring`. */
  readonly signingName: string;
  /** Answers a request, failures of the caller included; what it throws is answered as an internal failure. */
  answer(request: ServiceRequest): Promise<ServiceAnswer>;
}
