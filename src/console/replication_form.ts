/** A replication as lists show it. */
export interface ReplicationSummary {
  /** Identity of its M0, or of its first message where M0 was not seen. */
  readonly id: string;
  readonly sid: string | null;
  readonly source: string;
  readonly destination: string;
  readonly keyIds: readonly string[];
  /** Milliseconds since the epoch, by the machine’s clock and not by those of regions. */
  readonly startedMs: number;
  /** Null while it goes on. */
  readonly endedMs: number | null;
  readonly state: 'running' | 'done' | 'ended';
  /** Why it ended without being done; null otherwise. */
  readonly code: string | null;
  readonly suite: string | null;
  readonly messages: number;
  /** Messages that the proxy has lost, held, altered or repeated. */
  readonly troubles: number;
  /** Whether the key changes its primary Region in it. */
  readonly isHandover: boolean;
}

/** A step of the exchange: 1 to 5 are the five steps, 0 goes before them and 6 behind. */
export type ExchangeStep = 0 | 1 | 2 | 3 | 4 | 5 | 6;

/** A message on its way from one region to another. */
export interface MessageRow {
  readonly kind: 'message';
  readonly atMs: number;
  readonly step: ExchangeStep;
  /** `M0` … `MX`, or `?`. */
  readonly label: string;
  readonly from: string;
  readonly to: string;
  /** The proxy’s number of it; null where the proxy has not seen it. */
  readonly number: number | null;
  readonly octets: number;
  readonly typ: string | null;
  readonly kid: string | null;
  readonly signer: { readonly region: string; readonly epoch: string } | null;
  readonly messageId: string | null;
  readonly prev: string | null;
  /** What a bystander with the rosters finds: `ok`, or a code and why. */
  readonly verification: string;
  /** Decoded; long octets as their length and hash. */
  readonly payload: unknown;
  readonly sentMs: number | null;
  readonly acceptedMs: number | null;
  readonly acknowledgedMs: number | null;
  /** What the proxy did to it beside passing it on. */
  readonly conduct: readonly {
    readonly atMs: number;
    /** `lost`, `held`, `altered`, `repeated`, `released`. */
    readonly event: string;
    readonly detail: string | null;
    /** Of an altered message: what a bystander finds. */
    readonly verification: string | null;
  }[];
  /** What the destination said of each time that it came. */
  readonly received: readonly { readonly atMs: number; readonly verification: string }[];
}

/** A step of a token. */
export interface TokenRow {
  readonly kind: 'token';
  readonly atMs: number;
  readonly step: ExchangeStep;
  readonly region: string;
  readonly operation: string;
  readonly strategy: string | null;
  readonly mechanism: string | null;
  readonly microseconds: number;
  readonly outcome: string;
}

/** A change of the session in a region, or a refusal in its security audit. */
export interface NoteRow {
  readonly kind: 'state' | 'audit';
  readonly atMs: number;
  readonly step: ExchangeStep;
  readonly region: string;
  readonly code: string;
  readonly detail: string;
}

export type SequenceRow = MessageRow | TokenRow | NoteRow;

/** A replication with all that happened in it, in order. */
export interface ReplicationDetail extends ReplicationSummary {
  readonly rows: readonly SequenceRow[];
  /** Whether more happened than is kept. */
  readonly isCut: boolean;
}
