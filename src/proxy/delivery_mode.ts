/** A message as the proxy took it over: octets that mean nothing to it. */
export interface AcceptedMessage {
  /** Number of the message in this proxy, from 1. */
  readonly messageId: number;
  /** Region that the sender named; nobody has checked it. */
  readonly destination: string;
  readonly octets: Uint8Array;
}

/** One copy of a message on its way to a region. */
export interface Delivery {
  /** 0 or more milliseconds until a receiver can see it. */
  readonly delayMs: number;
  readonly destination: string;
  readonly octets: Uint8Array;
  /** It waits until somebody lets it go, whatever its delay. */
  readonly isHeld?: true;
}

/**
 * What the proxy makes of a message: any number of deliveries, none for a lost one. Called once for each message, when it is
 * accepted; what it returns is stored together with the message.
 */
export type DeliveryMode = (message: AcceptedMessage) => readonly Delivery[];

/** Delivers each message once, unchanged and at once. */
export const honestMode: DeliveryMode = ({ destination, octets }) => [{ delayMs: 0, destination, octets }];

/** How a hostile proxy treats messages; probabilities lie between 0 and 1 and are drawn for each message separately. */
export interface HostileModeSettings {
  /** Same seed, same messages: same deliveries. */
  readonly seed: number;
  /** Probability that a message is lost. */
  readonly drop?: number;
  /** Probability that a message comes twice. */
  readonly duplicate?: number;
  /** Probability that one bit of a message is turned over. */
  readonly tamper?: number;
  /** Probability that a message is held back for up to `delayMsMax`, so that later ones overtake it. */
  readonly reorder?: number;
  /** Probability that a message seen earlier comes again, behind this one. */
  readonly replay?: number;
  /** Every message waits between 0 and this many milliseconds. */
  readonly delayMsMax?: number;
}

/** How long a message is held back where the settings name no `delayMsMax`, milliseconds. */
const REORDER_DELAY_MS = 200;
/** Earlier messages that a replaying proxy remembers. */
const REPLAY_MEMORY = 64;

/**
 * A proxy that loses, repeats, delays, reorders, replays and alters messages, reproducibly from its seed.
 *
 * @returns a mode with a state of its own: use one for one proxy
 */
export function hostileMode(settings: HostileModeSettings): DeliveryMode {
  const random = seededRandom(settings.seed);
  const happens = (probability: number | undefined): boolean => random() < (probability ?? 0);
  const seen: AcceptedMessage[] = [];

  return (message) => {
    const deliveries: Delivery[] = [];
    const delayMs = Math.floor(random() * (settings.delayMsMax ?? 0));
    const copy = (): Delivery => {
      const held = happens(settings.reorder) ? Math.ceil(random() * (settings.delayMsMax ?? REORDER_DELAY_MS)) : 0;
      const octets = happens(settings.tamper) ? withOneBitTurned(message.octets, random) : message.octets;
      return { delayMs: delayMs + held, destination: message.destination, octets };
    };
    if (!happens(settings.drop)) deliveries.push(copy());
    if (happens(settings.duplicate)) deliveries.push(copy());
    const earlier = seen[Math.floor(random() * seen.length)];
    if (earlier !== undefined && happens(settings.replay)) {
      deliveries.push({ delayMs, destination: earlier.destination, octets: earlier.octets });
    }
    seen.push(message);
    if (seen.length > REPLAY_MEMORY) seen.shift();
    return deliveries;
  };
}

function withOneBitTurned(octets: Uint8Array, random: () => number): Uint8Array {
  const altered = Uint8Array.from(octets);
  const index = Math.floor(random() * altered.length);
  const octet = altered[index];
  if (octet !== undefined) altered[index] = octet ^ (1 << Math.floor(random() * 8));
  return altered;
}

/** Uniform numbers in [0, 1) from a 32-bit seed (mulberry32): for experiments that can be repeated, never for secrets. */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
