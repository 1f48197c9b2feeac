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
  /** For logs and metrics: the operation that was called, where it is one that the service has. */
  readonly operation?: string;
  /** For logs and metrics: the failure that was answered; absent for success. */
  readonly exception?: string;
}

/** Why a request did not come as far as its service. */
export interface ServiceRefusal {
  readonly requestId: string;
  readonly status: number;
  /** For example `InvalidSignatureException`. */
  readonly exception: string;
  /** What the caller is told; empty where that is nothing. */
  readonly message: string;
  /** Headers of the request: they tell which protocol it speaks. */
  readonly headers: IncomingHttpHeaders;
}

/** An AWS service that a region's endpoint answers besides AWS KMS; chosen by the service in the signature's credential scope. */
export interface AwsService {
  /** Service name in the credential scope, for example `monitoring`. */
  readonly signingName: string;
  /** Answers a request, failures of the caller included; what it throws is answered as an internal failure. */
  answer(request: ServiceRequest): Promise<ServiceAnswer>;
  /** Puts a refusal in the words of the service's protocol; without it AWS JSON is spoken. */
  refuse?(refusal: ServiceRefusal): ServiceAnswer;
}
