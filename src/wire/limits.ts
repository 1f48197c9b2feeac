/**
 * Bounds of what a message may hold, with unit and reason.
 */
export const WIRE_LIMITS = {
  /** Largest message, octets; refused before any signature is looked at. */
  messageOctetsMax: 65_536,
  /** Deepest nesting of arrays and objects in a payload. */
  jsonDepthMax: 8,
  /** Longest array in a payload. */
  jsonArrayItemsMax: 64,
  /** Most members of one object in a payload. */
  jsonMembersMax: 64,
  /** Longest key id of a signing key: a SHA-384 thumbprint has 64 characters. */
  kidCharactersMax: 64,
} as const;
