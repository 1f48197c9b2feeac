import { createServer } from 'node:http';
import type { RecordedCall } from '../../audit/audit_trail.js';
import type { KmsRegion } from '../../kms/region.js';
import { LIMITS } from '../../limits.js';
import { closeServer, formatListenAddress, listenOn, type ListenAddress } from '../../listen.js';
import { Endpoint } from './endpoint.js';
import type { AwsService } from './service.js';
import type { Credential } from './sigv4.js';

/** What an observer learns of each request after it was answered. Holds no plaintext and no request. */
export interface RequestOutcome {
  readonly requestId: string;
  /** Signing name of the service, for example `kms`; null where the request's signature is not good. */
  readonly service: string | null;
  /** Null where the request did not come so far. */
  readonly operation: string | null;
  readonly principal: string | null;
  /** HTTP status. */
  readonly status: number;
  /** Name of the failure; null for success. */
  readonly exception: string | null;
  /** From the end of the request's headers to the handing over of its answer, milliseconds. */
  readonly elapsedMs: number;
  /** What happened, where the caller was not told: for the log, by request id. */
  readonly cause: unknown;
}

export interface AwsServerOptions {
  readonly region: KmsRegion;
  readonly credentials: readonly Credential[];
  /** Unshifted time, milliseconds since the epoch: clients sign with theirs. */
  readonly signatureTimeMs: () => number;
  /** Records every authenticated call of AWS KMS before it is answered. */
  readonly trail: { recordCall(call: RecordedCall): Promise<void> };
  readonly observe: (outcome: RequestOutcome) => void;
  /** Services that are answered besides AWS KMS. */
  readonly services?: readonly AwsService[];
}

/** A region's AWS endpoint. */
export interface AwsServer {
  readonly url: string;
  /** Stops listening, waits for the requests that are being answered, and closes every connection. */
  close(): Promise<void>;
}

/**
 * Serves the AWS KMS API, and what else is given, on one address.
 *
 * @param listen - port 0 takes a free one
 * @throws {@link ConfigError} `ERR_CONFIG_PORT_BUSY` where the address cannot be had
 */
export async function serveAws(options: AwsServerOptions, listen: ListenAddress): Promise<AwsServer> {
  const endpoint = new Endpoint(options);
  const server = createServer(
    {
      maxHeaderSize: LIMITS.awsHeaderBytesMax,
      headersTimeout: LIMITS.awsHeadersTimeoutMs,
      requestTimeout: LIMITS.awsRequestTimeoutMs,
      keepAliveTimeout: LIMITS.awsKeepAliveTimeoutMs,
      noDelay: true,
    },
    (request, response) => endpoint.receive(request, response),
  );
  const address = await listenOn(server, listen);
  return {
    url: `http://${formatListenAddress(address)}`,
    close: () => closeServer(server, LIMITS.awsDrainTimeoutMs),
  };
}
