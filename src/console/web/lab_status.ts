/** A program of the lab. */
export interface Program {
  readonly url: string;
  readonly state: string;
  readonly restarts: number;
  readonly process: { readonly pid: number } | null;
}

/** What a region says of itself, as far as it is shown. */
export interface RegionReport {
  /** Why it says nothing of itself; absent where it does. */
  readonly unavailable?: string;
  readonly hsm?: {
    readonly state: string;
    readonly fingerprint: string;
    readonly suites: readonly string[];
    readonly dataSuites?: readonly string[];
    readonly signingKeys?: readonly string[];
    readonly ephemeralKeys?: number;
    readonly keyStorage?: string;
    readonly tokenObjects?: number;
    readonly loadedKeys?: number;
  };
  readonly replication?: {
    readonly state: string;
    readonly epoch: string | null;
    readonly outgoing: readonly { readonly peer: string; readonly state: string }[];
    readonly incoming: readonly { readonly peer: string; readonly state: string }[];
  };
}

/** What the proxy says of itself. */
export interface ProxyReport {
  readonly unavailable?: string;
  readonly mode?: string;
  readonly waiting?: Readonly<Record<string, { readonly messages: number }>>;
  /** Messages that wait until somebody lets them go, by destination. */
  readonly held?: Readonly<Record<string, number>>;
  readonly conduct?: Conduct;
}

/** What is done to messages by hand. */
export interface Conduct {
  readonly hold: readonly string[];
  readonly next: readonly { readonly action: string; readonly destination: string | null }[];
}

/** What `GET status` answers, as far as it is shown. */
export interface LabStatus {
  readonly programs: Readonly<Record<string, Program>>;
  readonly regions: Readonly<Record<string, RegionReport>>;
  readonly proxy: ProxyReport;
  readonly problems: readonly { readonly about: string; readonly problem: string; readonly remedy: string | null }[];
}
