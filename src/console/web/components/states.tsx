import type { ComponentChildren, JSX } from 'preact';
import { Refusal } from '../api.js';
import type { Live } from '../live.js';
import { Button } from './button.js';
import { Icon } from './icon.js';

/** What is there is nothing yet: says so, and what to do about it. */
export function Empty({
  title,
  children,
}: {
  readonly title: string;
  readonly children?: ComponentChildren;
}): JSX.Element {
  return (
    <div class="state empty">
      <p class="state-title">{title}</p>
      {children}
    </div>
  );
}

/** Something is asked for that is not there yet. */
export function Loading({ what }: { readonly what: string }): JSX.Element {
  return (
    <div class="state loading" role="status">
      <span class="spinner" aria-hidden="true" />
      Loading {what}…
    </div>
  );
}

/** What to do about failures that people meet. */
const REMEDIES: Readonly<Record<string, string>> = {
  AccessDeniedException:
    'Your principal may not do this. Its policy in the lab file, the key’s policy or a grant would have to allow it; or log in as another principal.',
  AccessDenied: 'Your principal may not do this: its policy in the lab file would have to allow it.',
  NotFoundException: 'It is not in this Region: choose another one at the top right, or look in the table.',
  ServiceUnavailableException:
    'The Region’s process does not answer. It is started again by itself; the Lab page says how it is.',
  KeyUnavailableException: 'The token does not answer at the moment. Try again.',
  ExpiredImportTokenException:
    'Download a new wrapping key and import token, wrap the material again, and upload within 24 hours.',
  InvalidImportTokenException:
    'Take the import token and the material that was wrapped with the wrapping key of the same download: each pair works once, and for its own key.',
  InvalidCiphertextException:
    'The material does not unwrap: wrap it with the wrapping key of this download and the algorithm that was chosen for it, and download again first.',
  IncorrectKeyMaterialException:
    'It is not the material that this key needs: a key takes only the material that was first imported into it, of the length and form of its key spec.',
  MalformedPolicyDocumentException: 'Correct the policy; nothing was changed.',
  AlreadyExistsException: 'Choose another name.',
  InvalidAliasNameException: 'A name has letters, digits, “/”, “_” and “-”, and does not begin with “aws/”.',
  ThrottlingException: 'Too much was asked for at once. Try again.',
  ERR_CONSOLE_UNAVAILABLE: 'Look whether the lab runs, with: npx keyferry status',
  ERR_CONSOLE_OPERATOR: 'Log in as the account’s root: npx keyferry console --login',
  Unreachable: 'Look whether the lab runs, with: npx keyferry status',
};

/** A refusal, in the words of whoever refused, and what to do about it. */
export function Failure(props: {
  readonly what: string;
  readonly failure: unknown;
  readonly onRetry?: () => void;
}): JSX.Element {
  const { what, failure, onRetry } = props;
  const refusal = failure instanceof Refusal ? failure : undefined;
  const remedy = REMEDIES[refusal?.code ?? ''];
  return (
    <div class="state failure" role="alert">
      <p class="state-title">
        <Icon name="failure" /> {what}
      </p>
      <p>
        {refusal !== undefined && <code>{refusal.code}</code>}{' '}
        {failure instanceof Error ? failure.message : String(failure)}
      </p>
      {remedy !== undefined && <p class="quiet">{remedy}</p>}
      {refusal !== undefined && refusal.requestId !== '' && <p class="quiet">Request id {refusal.requestId}</p>}
      {onRetry !== undefined && (
        <Button icon="reload" onClick={onRetry}>
          Try again
        </Button>
      )}
    </div>
  );
}

/** Shows what was asked for when it is there; until then that it is on its way, or why it was refused. */
export function Loaded<Value>(props: {
  readonly live: Live<Value>;
  /** For example "the key". */
  readonly what: string;
  readonly children: (value: Value) => ComponentChildren;
}): JSX.Element {
  const { live, what, children } = props;
  const retry = { onRetry: () => live.reload() };
  if (live.value === undefined) {
    if (live.failure === undefined) return <Loading what={what} />;
    return <Failure what={`Could not load ${what}`} failure={live.failure} {...retry} />;
  }
  return (
    <>
      {live.failure !== undefined && (
        <Failure what={`Could not load ${what} again: what follows may be old`} failure={live.failure} {...retry} />
      )}
      {children(live.value)}
    </>
  );
}
