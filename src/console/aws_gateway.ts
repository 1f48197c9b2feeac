import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { exchange } from '../http_exchange.js';
import { LIMITS } from '../limits.js';
import { signedHeaders, type RequestKey } from '../request_signature.js';
import { ConsoleError } from './errors.js';

/** How each service is spoken to in AWS JSON. @source service models of the AWS SDKs: signing name, JSON version, target prefix */
const SERVICES: Readonly<
  Record<string, { readonly signingName: string; readonly version: string; readonly prefix: string }>
> = {
  kms: { signingName: 'kms', version: '1.1', prefix: 'TrentService' },
  cloudwatch: { signingName: 'monitoring', version: '1.0', prefix: 'GraniteServiceVersion20100801' },
  cloudtrail: {
    signingName: 'cloudtrail',
    version: '1.1',
    prefix: 'com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101',
  },
};

/** A call of an AWS operation. */
export interface AwsCall {
  readonly region: string;
  /** `kms`, `cloudwatch` or `cloudtrail`. */
  readonly service: string;
  /** For example `DescribeKey`. */
  readonly operation: string;
  /** JSON, handed on as it came. */
  readonly body: Uint8Array;
  readonly key: RequestKey;
}

/** What the service answered, success or failure. */
export interface AwsAnswer {
  readonly status: number;
  readonly requestId: string;
  readonly body: Uint8Array;
}

/** Whether there is a service of that name. */
export function isAwsService(name: string): boolean {
  return Object.hasOwn(SERVICES, name);
}

/**
 * Signs a call with the principal's own key and sends it where every other client sends it. Its answer is nobody's but the service's.
 *
 * @throws {@link ConsoleError} `ERR_CONSOLE_UNAVAILABLE` where the endpoint does not answer; `ERR_CONSOLE_NOT_FOUND` for another service
 */
export async function callAws(
  endpoint: { readonly url: string; readonly ca?: Buffer },
  call: AwsCall,
  signal: AbortSignal,
): Promise<AwsAnswer> {
  const service = Object.hasOwn(SERVICES, call.service) ? SERVICES[call.service] : undefined;
  if (service === undefined)
    throw new ConsoleError('ERR_CONSOLE_NOT_FOUND', `There is no service ${call.service} here`);
  const url = new URL(endpoint.url);
  const headers = signedHeaders({
    host: url.host,
    target: `${service.prefix}.${call.operation}`,
    body: call.body,
    region: call.region,
    key: call.key,
    at: new Date(),
    service: service.signingName,
    contentType: `application/x-amz-json-${service.version}`,
  });
  const request = url.protocol === 'https:' ? httpsRequest : httpRequest;
  const trust = endpoint.ca === undefined ? {} : { ca: endpoint.ca };
  const options = { method: 'POST', headers, timeout: LIMITS.consoleAnswerMs, signal, ...trust };
  const answer = await exchange(() => request(url, options), call.body, {
    octetsMax: LIMITS.consoleAnswerBytesMax,
  }).catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `${url.host} does not answer for ${call.region}: ${reason}`;
    throw new ConsoleError('ERR_CONSOLE_UNAVAILABLE', message, { retryable: true, cause });
  });
  const { status, headers: answered, body } = answer;
  return { status, requestId: String(answered['x-amzn-requestid'] ?? ''), body };
}
