import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { ActionDialog } from '../components/action_dialog.js';
import type { CliCall } from '../components/cli_command.js';
import { Checkbox, TextField } from '../components/form.js';
import { Notice } from '../components/notice.js';
import { timeText } from '../components/time.js';
import { regionNowMs } from '../lab.js';
import type { KeyMetadata } from '../kms.js';

/** What the dialogs of actions are rendered with. */
export interface KeyDialogProps {
  readonly region: string;
  /** At least one. */
  readonly keys: readonly KeyMetadata[];
  readonly onDone: () => void;
  readonly onClose: () => void;
}

const DAY_MS = 86_400_000;
/** Days between the request and the deletion. @source AWS KMS API Reference, ScheduleKeyDeletion */
const WINDOW_DAYS = { min: 7, max: 30, proposed: 30 } as const;

const callsOf = (
  { region, keys }: Pick<KeyDialogProps, 'region' | 'keys'>,
  operation: string,
  more: Readonly<Record<string, unknown>> = {},
): readonly CliCall[] => keys.map(({ KeyId }) => ({ region, operation, input: { KeyId, ...more } }));

const counted = (keys: readonly KeyMetadata[]): string => (keys.length === 1 ? 'the key' : `${keys.length} keys`);

/** The keys that an action is about. */
function KeyNames({ keys }: { readonly keys: readonly KeyMetadata[] }): JSX.Element {
  return (
    <ul aria-label="Keys">
      {keys.map(({ KeyId, Description }) => (
        <li key={KeyId}>
          <code>{KeyId}</code> <span class="quiet">{Description}</span>
        </li>
      ))}
    </ul>
  );
}

/** Lets keys be used again. */
export function EnableDialog({ region, keys, onDone, onClose }: KeyDialogProps): JSX.Element {
  return (
    <ActionDialog
      title={`Enable ${counted(keys)}`}
      confirm="Enable"
      calls={callsOf({ region, keys }, 'EnableKey')}
      done={`Enabled ${counted(keys)}`}
      onDone={onDone}
      onClose={onClose}
    >
      <KeyNames keys={keys} />
    </ActionDialog>
  );
}

/** Keeps keys from being used. */
export function DisableDialog({ region, keys, onDone, onClose }: KeyDialogProps): JSX.Element {
  return (
    <ActionDialog
      title={`Disable ${counted(keys)}`}
      confirm="Disable"
      calls={callsOf({ region, keys }, 'DisableKey')}
      done={`Disabled ${counted(keys)}`}
      onDone={onDone}
      onClose={onClose}
    >
      <KeyNames keys={keys} />
      <Notice>
        <p>A disabled key encrypts, decrypts, signs and verifies nothing until it is enabled again.</p>
      </Notice>
    </ActionDialog>
  );
}

/** Changes what a key says of itself. */
export function DescriptionDialog({ region, keys, onDone, onClose }: KeyDialogProps): JSX.Element {
  const [description, setDescription] = useState(keys[0]?.Description ?? '');
  return (
    <ActionDialog
      title="Edit description"
      confirm="Save"
      calls={callsOf({ region, keys }, 'UpdateKeyDescription', { Description: description })}
      done="Changed the description"
      onDone={onDone}
      onClose={onClose}
    >
      <KeyNames keys={keys} />
      <TextField
        label="Description"
        hint="Everybody who may describe the key reads it: at most 8,192 characters, and nothing secret."
        value={description}
        onInput={setDescription}
      />
    </ActionDialog>
  );
}

/** Deletes imported material: the key waits for the same material again. */
export function DeleteMaterialDialog(
  props: KeyDialogProps & {
    /** Of a key with several: the one that goes; the current one where it is absent. */ readonly materialId?: string;
  },
): JSX.Element {
  const { region, keys, onDone, onClose, materialId } = props;
  const [isConfirmed, setConfirmed] = useState(false);
  const one = materialId === undefined ? {} : { KeyMaterialId: materialId };
  return (
    <ActionDialog
      title="Delete key material"
      confirm="Delete key material"
      isDanger
      isDisabled={!isConfirmed}
      calls={callsOf({ region, keys }, 'DeleteImportedKeyMaterial', one)}
      done={`Deleted key material of ${counted(keys)}`}
      onDone={onDone}
      onClose={onClose}
    >
      <KeyNames keys={keys} />
      {materialId !== undefined && (
        <p>
          Key material <code>{materialId}</code>
        </p>
      )}
      <Notice tone="attention">
        <p>
          The key cannot be used any more, and what it encrypted cannot be decrypted, until exactly the same material is
          imported again. Make sure that you still have it: nobody else does.
        </p>
      </Notice>
      <Checkbox
        label={`I confirm that the key material of ${counted(keys)} is to be deleted`}
        isChecked={isConfirmed}
        onChange={setConfirmed}
      />
    </ActionDialog>
  );
}

/** Schedules the deletion of keys, for good. */
export function ScheduleDeletionDialog({ region, keys, onDone, onClose }: KeyDialogProps): JSX.Element {
  const [text, setText] = useState<string>(String(WINDOW_DAYS.proposed));
  const [isConfirmed, setConfirmed] = useState(false);
  const days = Number(text);
  const isWindow = Number.isInteger(days) && days >= WINDOW_DAYS.min && days <= WINDOW_DAYS.max;
  const error = isWindow ? '' : `A whole number from ${WINDOW_DAYS.min} to ${WINDOW_DAYS.max}`;
  const waits = keys.some(
    ({ MultiRegionConfiguration: set }) => (set?.MultiRegionKeyType === 'PRIMARY' ? set.ReplicaKeys.length : 0) > 0,
  );
  return (
    <ActionDialog
      title="Schedule key deletion"
      confirm="Schedule deletion"
      isDanger
      isDisabled={!isConfirmed || !isWindow}
      calls={isWindow ? callsOf({ region, keys }, 'ScheduleKeyDeletion', { PendingWindowInDays: days }) : []}
      done={`Scheduled the deletion of ${counted(keys)}`}
      onDone={onDone}
      onClose={onClose}
    >
      <KeyNames keys={keys} />
      <TextField
        label="Waiting period (in days)"
        hint="The deletion can be cancelled until it ends. The keys cannot be used from now on."
        isRequired
        type="number"
        value={text}
        onInput={setText}
        error={error}
      />
      <Notice tone="attention">
        <p>
          {isWindow && !waits && `After ${timeText(regionNowMs(region) + days * DAY_MS)}, `}
          {isWindow && waits && `${days} days after its last replica is gone, `}
          {!isWindow && 'After that, '}
          everything that was encrypted under {counted(keys)} is lost for good.
        </p>
      </Notice>
      <Checkbox
        label={`I confirm that ${counted(keys)} ${keys.length === 1 ? 'is' : 'are'} to be deleted after ${isWindow ? days : '…'} days`}
        isChecked={isConfirmed}
        onChange={setConfirmed}
      />
    </ActionDialog>
  );
}

/** Keeps keys that were to be deleted. */
export function CancelDeletionDialog({ region, keys, onDone, onClose }: KeyDialogProps): JSX.Element {
  return (
    <ActionDialog
      title="Cancel key deletion"
      confirm="Cancel deletion"
      calls={callsOf({ region, keys }, 'CancelKeyDeletion')}
      done={`Cancelled the deletion of ${counted(keys)}`}
      onDone={onDone}
      onClose={onClose}
    >
      <KeyNames keys={keys} />
      <Notice>
        <p>The keys are disabled afterwards: enable them to use them again.</p>
      </Notice>
    </ActionDialog>
  );
}
