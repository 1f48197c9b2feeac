/**
 * Every bound of the proxy, in one table. The proxy trusts nobody, so nothing that a peer sends may grow without end.
 */
export const PROXY_LIMITS = {
  /** Largest message: the bound of the replication protocol, 64 KiB. */
  messageOctetsMax: 65_536,
  /** Waiting messages for one destination; a region that is away for longer makes its peers wait. */
  queueMessagesMax: 10_000,
  /** Octets waiting for one destination: what 1,000 largest messages need. */
  queueOctetsMax: 64 * 1024 * 1024,
  /** Destinations that ever had a message; names cost memory and rows. */
  destinationsMax: 64,
  /** Messages in one answer to a receiver. */
  batchMessagesMax: 64,
  /** Octets of messages in one answer to a receiver, before base64. */
  batchOctetsMax: 1024 * 1024,
  /** Message ids in one acknowledgement. */
  acknowledgementIdsMax: 1_000,
  /** Longest wait of a receiver for its next message, milliseconds; shorter than the idle limits of common middleboxes. */
  waitMsMax: 25_000,
  /** Receivers that wait for one destination at the same time; the one that waits longest is let go. */
  waitersMax: 16,
  /** Lines of the log of what the proxy saw. */
  logEntriesMax: 20_000,
  /** Octets of the messages kept in that log. */
  logOctetsMax: 64 * 1024 * 1024,
  /** Lines of the log in one answer. */
  logBatchMax: 256,
  /** Longest delay that a mode may ask for, milliseconds: one day. */
  delayMsMax: 86_400_000,
  /** Deliveries that a mode may make of one message. */
  deliveriesMax: 16,
  /** Orders about next messages, and regions whose messages are held, at the same time. */
  conductOrdersMax: 64,
  /** Open connections. */
  connectionsMax: 1_024,
} as const;
