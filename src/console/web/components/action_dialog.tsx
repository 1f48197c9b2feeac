import type { ComponentChildren, JSX } from 'preact';
import { useRef } from 'preact/hooks';
import { callAws, type Answer } from '../api.js';
import { useAttempt } from '../attempt.js';
import { CliCommand, type CliCall } from './cli_command.js';
import { Dialog } from './dialog.js';
import { DialogFailure } from './dialog_failure.js';
import { tell } from './toasts.js';

/**
 * A dialog that calls operations of AWS, one after the other, and shows the commands that do the same.
 *
 * A refusal stays in the dialog, in the service's own words; what was done before it is not done again by the next try.
 *
 * @param props.calls - what is called; none where something is still missing
 * @param props.done - what happened, told at the edge of the page
 * @param props.onDone - given the answers, in the order of the calls; the dialog closes by itself
 */
export function ActionDialog(props: {
  readonly title: string;
  readonly confirm: string;
  readonly calls: readonly CliCall[];
  readonly done: string;
  readonly onClose: () => void;
  readonly onDone?: (answers: readonly Answer[]) => void;
  readonly children: ComponentChildren;
  readonly isDanger?: boolean;
  readonly isDisabled?: boolean;
  readonly isWide?: boolean;
}): JSX.Element {
  const { title, confirm, calls, done, onClose, onDone, children, isDanger = false, isWide = false } = props;
  const { isBusy, failure, attempt } = useAttempt();
  const answers = useRef(new Map<string, Answer>());
  const run = (): void => {
    attempt(async () => {
      const given: Answer[] = [];
      for (const call of calls) given.push(await answerOnce(answers.current, call));
      tell({ kind: 'done', title: done });
      onDone?.(given);
      onClose();
    });
  };
  return (
    <Dialog
      title={title}
      confirm={confirm}
      onConfirm={run}
      onClose={onClose}
      isDanger={isDanger}
      isBusy={isBusy}
      isDisabled={props.isDisabled === true || calls.length === 0}
      isWide={isWide}
    >
      {children}
      <DialogFailure what="It was refused" failure={failure} />
      {calls.length > 0 && <CliCommand calls={calls} />}
    </Dialog>
  );
}

async function answerOnce(answers: Map<string, Answer>, call: CliCall): Promise<Answer> {
  const { region, service = 'kms', operation, input } = call;
  const name = JSON.stringify([region, service, operation, input]);
  const known = answers.get(name);
  if (known !== undefined) return known;
  const answer = await callAws({ region, service, operation, input });
  answers.set(name, answer);
  return answer;
}
