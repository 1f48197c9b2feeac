import { CloudWatchClient, type CloudWatchClientConfig } from '@aws-sdk/client-cloudwatch';
import { AwsJson1_0Protocol, AwsQueryProtocol, AwsSmithyRpcV2CborProtocol } from '@aws-sdk/core/protocols';
import { FIXTURE_CREDENTIAL, type RegionFixture } from './region_fixture.js';

/** A protocol that the SDK speaks to CloudWatch. */
export type CloudWatchProtocol = NonNullable<CloudWatchClientConfig['protocol']>;

/** All of them, by the name that people know. */
export const CLOUDWATCH_PROTOCOLS: readonly (readonly [string, CloudWatchProtocol])[] = [
  ['AWS JSON 1.0', AwsJson1_0Protocol],
  ['RPC v2 CBOR', AwsSmithyRpcV2CborProtocol],
  ['AWS Query', AwsQueryProtocol],
];

/** An unmodified SDK client; it tries once. */
export function cloudWatchClient(
  fixture: Pick<RegionFixture, 'name' | 'url'>,
  protocol: CloudWatchProtocol,
): CloudWatchClient {
  return new CloudWatchClient({
    region: fixture.name,
    endpoint: fixture.url,
    credentials: FIXTURE_CREDENTIAL,
    maxAttempts: 1,
    protocol,
    // Over CBOR this client sends what it has compressed under the length that it had before.
    disableRequestCompression: protocol === AwsSmithyRpcV2CborProtocol,
  });
}
