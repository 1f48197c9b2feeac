import { createServer as createHttpServer, type RequestListener, type Server as HttpServer } from 'node:http';
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https';
import type { RecordedCall } from '../../audit/audit_trail.js';
import type { KmsRegion } from '../../kms/region.js';
import { LIMITS } from '../../limits.js';
import { closeServer, formatListenAddress, listenOn, type ListenAddress } from '../../listen.js';
import { TLS_MIN_VERSION, type TlsIdentity } from '../../tls_identity.js';
import type { MetricsText } from '../metrics/server.js';
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
  /** Answers `GET /metrics` to whoever asks from this machine; nobody is answered without it. */
  readonly metrics?: MetricsText;
  /** What the server proves itself with; HTTP without it. */
  readonly tls?: TlsIdentity | undefined;
  /** Other bounds than those of {@link LIMITS}. */
  readonly bounds?: Partial<ServerBounds>;
}

/** What a client may take of the server's time and connections. Times in milliseconds. */
export interface ServerBounds {
  /** Time for the headers of a request. */
  readonly headersMs: number;
  /** Time for a whole request. */
  readonly requestMs: number;
  /** Time that an idle connection is kept. */
  readonly keepAliveMs: number;
  /** Longest silence in the middle of a request or an answer. */
  readonly silenceMs: number;
  /** Time for the TLS handshake. */
  readonly handshakeMs: number;
  /** How often slow clients are looked for. */
  readonly slownessCheckMs: number;
  /** Open connections; further ones are closed at once. */
  readonly connectionsMax: number;
}

const BOUNDS: ServerBounds = {
  headersMs: LIMITS.awsHeadersTimeoutMs,
  requestMs: LIMITS.awsRequestTimeoutMs,
  keepAliveMs: LIMITS.awsKeepAliveTimeoutMs,
  silenceMs: LIMITS.awsSilenceMs,
  handshakeMs: LIMITS.awsHeadersTimeoutMs,
  slownessCheckMs: LIMITS.awsSlownessCheckMs,
  connectionsMax: LIMITS.awsConnectionsMax,
};

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
  const server = createBounded(
    (request, response) => endpoint.receive(request, response),
    { ...BOUNDS, ...options.bounds },
    options.tls,
  );
  const address = await listenOn(server, listen);
  return {
    url: `${options.tls === undefined ? 'http' : 'https'}://${formatListenAddress(address)}`,
    close: () => closeServer(server, LIMITS.awsDrainTimeoutMs),
  };
}

function createBounded(
  receive: RequestListener,
  bounds: ServerBounds,
  tls: TlsIdentity | undefined,
): HttpServer | HttpsServer {
  const options = {
    maxHeaderSize: LIMITS.awsHeaderBytesMax,
    headersTimeout: bounds.headersMs,
    requestTimeout: bounds.requestMs,
    keepAliveTimeout: bounds.keepAliveMs,
    connectionsCheckingInterval: bounds.slownessCheckMs,
    noDelay: true,
    // Peers that are gone without a word are found out by the system.
    keepAlive: true,
  };
  const server =
    tls === undefined
      ? createHttpServer(options, receive)
      : createHttpsServer(
          { ...options, ...tls, minVersion: TLS_MIN_VERSION, handshakeTimeout: bounds.handshakeMs },
          receive,
        );
  server.timeout = bounds.silenceMs;
  server.maxConnections = bounds.connectionsMax;
  return server;
}
