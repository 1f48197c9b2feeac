/** Bounds of sessions, timers and tables of the replication protocol. */
export const REPLICATION_LIMITS = {
  /** How often an agent looks at what is due, milliseconds. */
  tickMs: 250,
  /** Keys in one transfer: one agreement and one set of signatures for all of them. */
  keysPerTransferMax: 32,
  /** Materials of one key in one transfer; more rotations than that need a second transfer. */
  materialsPerKeyMax: 64,
  /** Hand-overs of one key: how often its primary Region has changed. So many certificates leave room for 64 materials in an intent. */
  handoversMax: 56,
  /** Time for a replica to answer that it is ready to be the primary, milliseconds; the hand-over is undone then. */
  handoverAnswerMs: 60_000,
  /** Time for which a replica that is ready waits for the certificate, milliseconds. */
  handoverOfferLifetimeMs: 120_000,
  /** Longest public half, octets of SubjectPublicKeyInfo: one of RSA_4096 takes 550. */
  publicKeyOctetsMax: 1_024,
  /** Longest wrapped material, octets: an AES-256 key takes 40, an RSA_4096 key about 2,400. */
  wrappedBlobOctetsMax: 4_096,
  /** Offers (and with them agreement keys in the token) that one peer can keep open here. */
  offersPerPeerMax: 16,
  /** Sessions that a source runs towards one destination; further keys wait. */
  exportsPerDestinationMax: 8,
  /** Messages that are being handled at once; further ones are dropped, and the peer sends them again. */
  inboundMessagesMax: 256,
  /** Sends of one region that the network has not taken over yet. */
  outboundMessagesMax: 1_024,
  /** Life of an offer, by the local monotonic clock, milliseconds. */
  offerLifetimeMs: 600_000,
  /** First wait before the same octets are sent again, milliseconds; doubles each time. */
  resendBaseMs: 1_000,
  /** Longest wait before the same octets are sent again, milliseconds. */
  resendCapMs: 86_400_000,
  /** Resends of M2 before the destination is asked for its state. */
  resendsBeforeQueryMax: 3,
  /** Times that a lost token session lets one export be done again before the session is given up. */
  exportAttemptsMax: 3,
  /** Least time between two roster exchanges with one peer, milliseconds. */
  rosterExchangeMs: 1_000,
  /** Rosters attached to one answer; a peer that is further behind asks again. */
  rostersPerMessageMax: 8,
  /** Octets of attached rosters in one answer: what leaves room in a message after base64url. */
  rosterOctetsPerMessageMax: 45_000,
  /** Largest roster, octets. */
  rosterOctetsMax: 40_000,
  /** Regions of a partition. */
  regionsMax: 64,
  /** RSKs of one region in a roster, retiring and revoked ones included. */
  rsksPerRegionMax: 16,
  /** Finished sessions older than this are forgotten, milliseconds: 30 days. */
  sessionRetentionMs: 2_592_000_000,
  /** Time between two sweeps, milliseconds. */
  sweepIntervalMs: 3_600_000,
  /** Life that messages announce in `exp`, milliseconds; advisory. */
  advisoryLifetimeMs: 86_400_000,
} as const;
