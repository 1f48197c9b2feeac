/** Every bound of Keyferry, with its unit in its name and its reason beside it. */
export const LIMITS = {
  /** Backing keys kept loaded in the token: finding an object takes SoftHSM2 5 ms among a thousand, and a load costs 50 µs. */
  hsmLoadedKeysMax: 1024,
  /** How often an operation is tried when sessions are lost under it: the first time, and twice after they were opened anew. */
  hsmSessionLossAttempts: 3,
  /** Octets of token randomness fetched at once for nonces and IVs: 28 a message, so one call serves 146 messages. */
  hsmRandomPoolBytes: 4096,
  /** Octets of one `C_GenerateRandom`: softoken answers at most 65,536. */
  hsmRandomBytesMax: 65_536,
  /** Keys of one kind in one token (domain keys, replication signing keys): rotation keeps a few. */
  hsmTokenKeysMax: 64,
  /** Ephemeral objects that one search counts. */
  hsmEphemeralObjectsMax: 4096,
  /** How long a status waits for the token before it tells what was last known, milliseconds. */
  hsmDescriptionWaitMs: 1_000,
  /** Longest time from the making of a token object to the record that uses it, milliseconds: after it an unused object is destroyed. */
  hsmTokenObjectSettleMs: 900_000,
  /** How long after it was first seen a token's file is synced with what is new, milliseconds: an object is made and finished in a fraction of it. */
  tokenFileRecentMs: 60_000,
  /** How often unused token objects are looked for, milliseconds. */
  hsmTokenObjectSweepMs: 3_600_000,
  /** Objects of an earlier, broken probe that one probe removes; a probe makes fewer than this. */
  tokenProbeLeftoversMax: 256,
  /** Objects of a token that the validation counts before and after each check; on a token with more, the count says less. */
  validationObjectsMax: 16_384,
  /** Time that a process of the validation has to load the module and open the token, milliseconds: an HSM behind a network takes seconds. */
  validationOpenMs: 120_000,
  /** Time of the probe in a validation, milliseconds; it takes a second or two on software. */
  validationProbeMs: 180_000,
  /** How much longer than in a quick run a check may take in a whole one, which makes more keys and larger ones, also on busy machines. */
  validationWholeRunFactor: 4,
  /** Time of one scenario of the validation's native program, milliseconds, unless it says another: most take a tenth of a second. */
  validationDriverMs: 10_000,
  /** Processes that a module may take down in one check of single calls before the rest is left out: a module that checks nothing dies at each. */
  validationDriverDeathsMax: 50,
  /** Time that a process of the validation has to finalise the module and end, milliseconds. */
  validationEndMs: 20_000,
  /** Probes of one token that are begun before sessions that are lost again and again make it fail: a probe takes a second. */
  tokenProbeAttemptsMax: 3,
  /** Key records, and materials, that a region's store keeps in memory: about 2 kB each. */
  kmsCachedKeysMax: 20_000,
  /** Octets of a key policy. @source AWS KMS Developer Guide, resource quotas */
  kmsPolicyBytesMax: 32_768,
  /** Characters of the key policies that a region's store keeps in memory: 20,000 default policies have a third of it. */
  kmsCachedPolicyCharactersMax: 16 * 1024 * 1024,
  /** Policies, by their text, that are remembered ready for evaluation: about 1 kB each, most keys share a few. */
  kmsCompiledPoliciesMax: 2000,
  /** Grants of one key. @source AWS KMS Developer Guide, resource quotas */
  kmsGrantsPerKeyMax: 50_000,
  /** What grants permit, of all keys and grantees together, that is remembered: about 300 octets each. */
  kmsCachedPermissionsMax: 100_000,
  /** Tags of one key. @source AWS general reference, tagging */
  kmsTagsMax: 50,
  /** Aliases of one key. @source AWS KMS Developer Guide, resource quotas */
  kmsAliasesPerKeyMax: 50,
  /** How often it is written what keys were last used for, milliseconds: so much may be missing after a process was killed. */
  kmsLastUsageWriteMs: 5_000,
  /** Keys whose last usage is not written yet before it is written at once: 300 octets each. */
  kmsLastUsagePendingMax: 10_000,
  /** Last usages written in one transaction: a few milliseconds. */
  kmsLastUsageBatchMax: 500,
  /** Octets of the names and values of one encryption context together; the service's own bound is not published. */
  kmsEncryptionContextBytesMax: 8192,
  /** How long import parameters are valid, milliseconds. @source AWS KMS API Reference, GetParametersForImport */
  kmsImportParametersMs: 24 * 60 * 60 * 1000,
  /** Unused import parameters of one key: each is a wrapped RSA key of 2 kB. */
  kmsImportParametersPerKeyMax: 100,
  /** How far ahead imported material may expire, milliseconds. @source AWS KMS API Reference, ImportKeyMaterial */
  kmsImportValidityMsMax: 365 * 24 * 60 * 60 * 1000,
  /** On-demand rotations of one key. @source AWS KMS Developer Guide, resource quotas */
  kmsOnDemandRotationsMax: 25,
  /** Shortest, longest and usual period of automatic rotation, days. @source AWS KMS API Reference, EnableKeyRotation */
  kmsRotationPeriodDaysMin: 90,
  kmsRotationPeriodDaysMax: 2560,
  kmsRotationPeriodDays: 365,
  /** How long before an automatic rotation nobody may rotate by hand, milliseconds. @source AWS KMS API Reference, RotateKeyOnDemand */
  kmsRotationImminentMs: 20 * 60 * 1000,
  /** How often the region's clock is looked at for what is due, milliseconds: everything happens within a second. */
  kmsDeadlineTickMs: 250,
  /** Longest pause before work that was due and failed is tried again, milliseconds. */
  kmsDeadlinePauseMsMax: 30_000,
  /** How long the caller of UpdatePrimaryRegion waits for the new primary's answer, milliseconds; it goes on by itself then. */
  kmsPrimaryChangeAnswerMs: 3_000,
  /** How often replicas are asked whether they have imported what a primary waits to rotate to, milliseconds. */
  kmsReplicaImportWatchMs: 10_000,
  /** How often the replicas of a primary that waits for their end are asked, milliseconds of the region's clock. */
  kmsReplicaDeletionWatchMs: 60 * 60 * 1000,
  /** Keys and materials that are due and read at once. */
  kmsDueBatchMax: 100,
  /** After which time whoever used destroyed material has ended, milliseconds: what was loaded meanwhile is unloaded. */
  kmsUnloadAgainMs: 40_000,
  /** Octets of one request: a policy of 131,072 units, each written as a JSON escape, and room for the rest. */
  awsBodyBytesMax: 1024 * 1024,
  /** Bodies up to here are not counted together: those of all requests that may be in flight are 64 MiB. */
  awsSmallBodyBytesMax: 16 * 1024,
  /** Octets of all longer bodies together; who sends one more is told to slow down. */
  awsBodiesBytesMax: 64 * 1024 * 1024,
  /** Open connections of one region's endpoint; further ones are closed at once. */
  awsConnectionsMax: 4096,
  /** Requests on one connection that wait for their answers: no AWS client sends a second one before the first is answered. */
  awsPipelinedMax: 16,
  /** Longest silence on a connection in the middle of a request or an answer, milliseconds: the slowest key generation fits. */
  awsSilenceMs: 120_000,
  /** How often connections are looked at for clients that are too slow, milliseconds. */
  awsSlownessCheckMs: 1_000,
  /** Octets of a request's headers: ten times what a signed request has. */
  awsHeaderBytesMax: 32 * 1024,
  /** Requests that a region works on at once; more are told to slow down. */
  awsInFlightMax: 4096,
  /** Time that a client may take to send its headers, milliseconds. */
  awsHeadersTimeoutMs: 10_000,
  /** Time that a client may take to send a whole request, milliseconds. */
  awsRequestTimeoutMs: 30_000,
  /** Time that an idle connection is kept, milliseconds: longer than the clients keep theirs, so that they close first. */
  awsKeepAliveTimeoutMs: 65_000,
  /** Time that a closing server waits for the answers in progress, milliseconds. */
  awsDrainTimeoutMs: 5_000,
  /** How long a region that ends waits for jobs in its token, milliseconds: an RSA pair may take ten seconds, everything else a fraction. */
  tokenClosePatienceMs: 1_000,
  /** How far the time of a signed request may be from ours, milliseconds. @source AWS general reference */
  awsSignatureSkewMs: 5 * 60 * 1000,
  /** Signers that are remembered, with their signing keys: one per access key, day and list of signed headers. */
  awsSignersMax: 1000,
  /** Headers that one request may sign. */
  awsSignedHeadersMax: 64,
  /** How long data points are kept, milliseconds. @source AWS KMS Developer Guide, "Monitor KMS keys with Amazon CloudWatch": two weeks */
  monitoringRetentionMs: 14 * 24 * 60 * 60 * 1000,
  /** How far ahead a data point may be, milliseconds. @source Amazon CloudWatch API Reference, MetricDatum */
  monitoringFutureMs: 2 * 60 * 60 * 1000,
  /** How often the region's clock is looked at for a new minute, milliseconds. */
  monitoringTickMs: 1000,
  /** How often data points and history that are too old are removed, milliseconds of the region's clock. */
  monitoringPruneMs: 60 * 60 * 1000,
  /** Metrics with stored data points; expiring keys are not among them. */
  monitoringMetricsMax: 20_000,
  /** Stored data points, about 100 octets each: the oldest make room. */
  monitoringSamplesMax: 500_000,
  /** Data points of one metric that are read at once: two weeks of minutes in two units. */
  monitoringSamplesReadMax: 50_000,
  /** Different keys and operations that are counted within one minute. */
  monitoringCountsMax: 10_000,
  /** Alarms of a region. @source Amazon CloudWatch User Guide, quotas */
  monitoringAlarmsMax: 5000,
  /** Alarms that are evaluated before requests are answered again. */
  monitoringAlarmBatchMax: 50,
  /** How long the history of alarms is kept, milliseconds. @source Amazon CloudWatch API Reference, DescribeAlarmHistory: 30 days */
  monitoringHistoryMs: 30 * 24 * 60 * 60 * 1000,
  /** Items of the history of all alarms, at most 4 kB each: the oldest make room. */
  monitoringHistoryMax: 50_000,
  /** Notifications that wait to be delivered; further ones are told to the history only. */
  monitoringActionsMax: 1000,
  /** Notifications that are being delivered at the same time. */
  monitoringDeliveriesMax: 8,
  /** Attempts to deliver one notification. */
  monitoringAttemptsMax: 6,
  /** Pause before the second attempt, milliseconds; it doubles with each further one. */
  monitoringRetryMs: 1000,
  /** Time that the receiver of a notification may take, milliseconds. @source Amazon SNS Developer Guide: 15 seconds, which is long */
  monitoringPostTimeoutMs: 5000,
  /** Operations of all services that metrics tell apart. */
  metricsOperationsMax: 500,
  /** How long what metrics have counted in the database is shown again, milliseconds. */
  metricsCountsAgeMs: 5_000,
  /** Keys whose time until expiry is a metric: a series each, which a Prometheus server keeps. */
  metricsExpiriesMax: 1000,
  /** Full files of the trail that are kept, 64 MiB each, besides the one that is written to. */
  trailEarlierFilesMax: 16,
  /** Full files of the security audit that are kept. */
  auditEarlierFilesMax: 1,
  /** Octets of a file of lines that are read at once. */
  linesPieceBytes: 256 * 1024,
  /** Longest line of such a file, octets; longer ones are passed over. An event of the trail has two policies at most. */
  linesLineBytesMax: 4 * 1024 * 1024,
  /** Octets of the trail that one LookupEvents reads before it answers what it has, with a token to go on: some 100 milliseconds, in pieces of two. */
  trailLookupBytesMax: 16 * 1024 * 1024,
  /** Lookups that read the trail at the same time; further ones are throttled. */
  trailLookupsMax: 4,
  /** Attempts to post one key event. @source Amazon EventBridge User Guide, retry policy: 24 hours and up to 185 times */
  keyEventAttemptsMax: 185,
  /** Pause before the second attempt, milliseconds; it doubles with each further one. */
  keyEventPauseMs: 1000,
  /** Longest pause between two attempts, milliseconds: eight minutes, which makes a day of all attempts. */
  keyEventPauseMsMax: 8 * 60 * 1000,
  /** Time that the receiver of a key event may take, milliseconds. */
  keyEventPostTimeoutMs: 5000,
  /** Sessions of the console at the same time: a few windows of a few people. */
  consoleSessionsMax: 64,
  /** How long one lasts after its login, milliseconds: a working day. */
  consoleSessionMs: 12 * 60 * 60 * 1000,
  /** How long a login link works, milliseconds: from the terminal into the browser. */
  consoleLoginMs: 10 * 60 * 1000,
  /** Login links that nobody has used yet; the oldest make room. */
  consoleLoginsMax: 64,
  /** Streams of events to pages at the same time. */
  consoleStreamsMax: 64,
  /** How often a silent stream shows that it lives, milliseconds. */
  consoleHeartbeatMs: 15_000,
  /** How often the console looks at the state of programs and clocks while a page is open, milliseconds. */
  consoleWatchMs: 500,
  /** Replications that the console remembers. */
  consoleReplicationsMax: 300,
  /** What is kept of one of them: an undisturbed one has about fifty entries. */
  consoleReplicationEntriesMax: 600,
  /** Refusals, and sessions, of which is not known yet to which replication they belong. */
  consoleOrphansMax: 256,
  /** Octets of one answer that the console hands on: 50 events of the trail with two policies each. */
  consoleAnswerBytesMax: 32 * 1024 * 1024,
  /** Time for one answer, milliseconds: a busy token takes that long to make an RSA pair. */
  consoleAnswerMs: 120_000,
} as const;
