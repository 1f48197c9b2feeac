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
  /** Objects of an earlier, broken probe that one probe removes; a probe makes fewer than this. */
  tokenProbeLeftoversMax: 256,
  /** Times that a lost module is initialised anew before the token is given up. */
  tokenReinitialisationsMax: 3,
  /** Wait before the second and later of these, milliseconds: a network HSM needs a moment to come back. */
  tokenReinitialisationDelayMs: 250,
} as const;
