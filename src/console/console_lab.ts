import type { RequestKey } from '../request_signature.js';
import type { LabFacts } from './lab_form.js';

/** A principal as whom one can log in, with what signs its requests. It never leaves the console's process. */
export interface ConsolePrincipal {
  /** ARN. */
  readonly arn: string;
  readonly key: RequestKey;
  /** Whether it may see and steer the laboratory itself, and not only what AWS services answer it. */
  readonly isOperator: boolean;
}

/** Something that pages are told so that they look again. */
export type LabEvent =
  /** Something has changed in a region; `names` are the events of its trail. */
  | { readonly type: 'changed'; readonly region: string; readonly names: readonly string[] }
  /** Programs, or clocks. */
  | { readonly type: 'lab' }
  /** Ids of replications about which something is new; for operators only. */
  | { readonly type: 'trace'; readonly replications: readonly string[] };

/** A question of an operator's: a path below `/api/operator/`, with a JSON body where it changes something. */
export interface OperatorAsk {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: unknown;
}

/** The lab that a console shows. */
export interface ConsoleLab {
  /** The first one is who logs in where nobody else is named. */
  readonly principals: readonly ConsolePrincipal[];
  facts(): LabFacts;
  /** Where AWS clients go, and whom they trust there; the system's authorities where `ca` is absent. */
  endpoint(): { readonly url: string; readonly ca?: Buffer };
  /**
   * Answers an operator.
   *
   * @returns plain JSON; undefined where there is no such question
   * @throws {@link KeyferryError}
   */
  operate(ask: OperatorAsk): Promise<unknown>;
  /** The page of a validation report, HTML that somebody else has made; undefined where there is none of that name. */
  validationPage(name: string): Buffer | undefined;
  /** Tells what happens until the signal. */
  watch(tell: (event: LabEvent) => void, signal: AbortSignal): Promise<void>;
}
