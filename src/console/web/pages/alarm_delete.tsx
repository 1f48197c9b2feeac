import type { JSX } from 'preact';
import { ActionDialog } from '../components/action_dialog.js';
import { Notice } from '../components/notice.js';

/** Ends alarms; their history stays. */
export function DeleteAlarmsDialog(props: {
  readonly region: string;
  /** At least one. */
  readonly names: readonly string[];
  readonly onDone: () => void;
  readonly onClose: () => void;
}): JSX.Element {
  const { region, names, onDone, onClose } = props;
  const counted = names.length === 1 ? 'the alarm' : `${names.length} alarms`;
  return (
    <ActionDialog
      title={`Delete ${counted}`}
      confirm="Delete"
      calls={[{ region, service: 'cloudwatch', operation: 'DeleteAlarms', input: { AlarmNames: names } }]}
      done={`Deleted ${counted}`}
      onDone={onDone}
      onClose={onClose}
      isDanger
    >
      <ul aria-label="Alarms">
        {names.map((name) => (
          <li key={name}>
            <code>{name}</code>
          </li>
        ))}
      </ul>
      <Notice>
        <p>Nobody is warned any more when the metric passes the threshold. The key itself is not touched.</p>
      </Notice>
    </ActionDialog>
  );
}
