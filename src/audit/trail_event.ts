/** A value as the trail shows it. */
export type TrailValue = null | string | number | boolean | readonly TrailValue[] | TrailMembers;

/** Members by their name in camelCase. */
export interface TrailMembers {
  readonly [name: string]: TrailValue;
}

/** Who caused an event. */
export type UserIdentity =
  | {
      readonly type: 'Root' | 'IAMUser' | 'AssumedRole' | 'Unknown';
      readonly principalId: string;
      readonly arn: string;
      readonly accountId: string;
      readonly accessKeyId: string;
      readonly userName?: string;
    }
  | { readonly accountId: string; readonly invokedBy: 'AWS Internal' | 'kms.amazonaws.com' };

/** The TLS connection that a call came over. */
export interface TlsDetails {
  /** For example `TLSv1.3`. */
  readonly tlsVersion: string;
  /** IANA name. */
  readonly cipherSuite: string;
  /** The `Host` header. */
  readonly clientProvidedHostHeader: string;
}

/**
 * One record of the audit trail.
 *
 * @source AWS CloudTrail User Guide, record contents; AWS KMS Developer Guide, "Logging AWS KMS API calls with AWS CloudTrail"
 */
export interface TrailEvent {
  readonly eventVersion: '1.11';
  readonly userIdentity: UserIdentity;
  /** ISO 8601, UTC, whole seconds, by the region's clock. */
  readonly eventTime: string;
  readonly eventSource: 'kms.amazonaws.com';
  readonly eventName: string;
  readonly awsRegion: string;
  readonly sourceIPAddress: string;
  readonly userAgent: string;
  readonly errorCode?: string;
  readonly errorMessage?: string;
  readonly requestParameters: TrailMembers | null;
  readonly responseElements: TrailMembers | null;
  /** Material and strategy where there is something to say, and how far a lab's clock is moved. */
  readonly additionalEventData?: TrailMembers;
  readonly requestID?: string;
  readonly eventID: string;
  readonly readOnly: boolean;
  readonly resources: readonly {
    readonly accountId: string;
    readonly type: 'AWS::KMS::Key' | 'AWS::KMS::Alias';
    readonly ARN: string;
  }[];
  readonly eventType: 'AwsApiCall' | 'AwsServiceEvent';
  readonly managementEvent: true;
  readonly recipientAccountId: string;
  readonly serviceEventDetails?: TrailMembers;
  readonly eventCategory: 'Management';
  readonly tlsDetails?: TlsDetails;
}
