/** Bounds of the front door. Each region has its own, narrower ones. */
export const FRONT_DOOR_LIMITS = {
  /** Octets of one request's body on its way through: ten times the largest call of any service behind it. */
  bodyOctetsMax: 16 * 1024 * 1024,
  /** Octets of a request's headers: ten times what a signed request has. */
  headerOctetsMax: 32 * 1024,
  /** Open connections from clients. */
  connectionsMax: 4_096,
  /** Connections to one region. */
  regionSocketsMax: 512,
  /** Time in which a client has to send its headers, milliseconds. */
  headersMs: 10_000,
  /** Time in which a client has to send a whole request, milliseconds. */
  requestMs: 60_000,
  /** How often connections are looked at for clients that are too slow, milliseconds. */
  slownessCheckMs: 1_000,
  /** Longest silence of a region in the middle of an answer, milliseconds: the slowest RSA key generation of a token fits. */
  answerMs: 120_000,
  /** Time that an idle connection of a client is kept, milliseconds. */
  keepAliveMs: 65_000,
} as const;
