import { z } from 'zod';
import { askAdmin } from './admin_client.js';
import type { StateDirectory } from './state_directory.js';

const sessionForm = z.looseObject({
  sid: z.string().nullable(),
  peer: z.string(),
  state: z.string(),
  keyIds: z.array(z.string()),
  createdMs: z.number(),
});

const regionStatusForm = z.looseObject({
  listen: z.string(),
  profile: z.enum(['full', 'seed']),
  outsideToken: z.enum(['refuse', 'allow']),
  time: z.looseObject({ now: z.string(), offsetMs: z.number() }),
  hsm: z.looseObject({
    state: z.string(),
    fingerprint: z.string(),
    signingKeys: z.array(z.string()),
    suites: z.array(z.string()),
    dataSuites: z.array(z.string()),
    ephemeralKeys: z.number(),
    /** Absent where a region of an earlier version runs. */
    keyStorage: z.string().optional(),
    tokenObjects: z.number().optional(),
    undestroyed: z.number(),
    /** How long the token has not answered, milliseconds; what is told of it is from before then. */
    busyMs: z.number(),
  }),
  replication: z.looseObject({
    state: z.string(),
    error: z.string().nullable(),
    epoch: z.string().nullable(),
    frozen: z.array(z.string()),
    handovers: z.array(z.looseObject({ keyId: z.string(), destination: z.string(), state: z.string() })),
    outgoing: z.array(sessionForm),
    incoming: z.array(sessionForm),
    waiting: z.array(z.looseObject({ keyId: z.string(), destination: z.string(), attempts: z.number() })),
  }),
});

/** What the proxy answers to `GET /status`, and to whatever changes it. */
export const proxyStatusForm = z.looseObject({
  mode: z.string(),
  waiting: z.record(z.string(), z.looseObject({ messages: z.number(), octets: z.number() })),
  conduct: z
    .object({
      hold: z.array(z.string()),
      next: z.array(z.object({ action: z.string(), destination: z.string().nullable() })),
    })
    .default({ hold: [], next: [] }),
  held: z.record(z.string(), z.number()).default({}),
});

/** What a region says of itself; members that are not named here are there too. */
export type RegionStatus = Readonly<z.infer<typeof regionStatusForm>>;
/** What the proxy says of itself. */
export type ProxyStatus = Readonly<z.infer<typeof proxyStatusForm>>;
/** A program that did not say how it is, and why. */
export interface Unavailable {
  readonly unavailable: string;
}

/** Time for an answer: a region whose token hangs answers late or never, milliseconds. */
const ANSWER_MS_MAX = 5_000;

/** How the proxy is, or why it does not say. */
export function proxyStatus(directory: StateDirectory): Promise<ProxyStatus | Unavailable> {
  return statusOf(directory.adminSocket(), proxyStatusForm);
}

/** How a region is, or why it does not say. */
export function regionStatus(directory: StateDirectory, region: string): Promise<RegionStatus | Unavailable> {
  return statusOf(directory.adminSocket(region), regionStatusForm);
}

export function isUnavailable(status: object): status is Unavailable {
  return 'unavailable' in status;
}

async function statusOf<Value>(socket: string, form: z.ZodType<Value>): Promise<Value | Unavailable> {
  const late = AbortSignal.timeout(ANSWER_MS_MAX);
  try {
    return form.parse(await askAdmin(socket, { method: 'GET', path: '/status', signal: late }));
  } catch (error) {
    if (late.aborted) return { unavailable: `no answer in ${ANSWER_MS_MAX / 1000} seconds` };
    return { unavailable: error instanceof Error ? error.message : String(error) };
  }
}
