import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { Menu, type MenuItem } from '../components/menu.js';
import type { KeyMetadata } from '../kms.js';
import {
  CancelDeletionDialog,
  DeleteMaterialDialog,
  DescriptionDialog,
  DisableDialog,
  EnableDialog,
  ScheduleDeletionDialog,
  type KeyDialogProps,
} from './key_action_dialogs.js';

interface KeyAction {
  readonly label: string;
  readonly isDanger?: boolean;
  /** Why a key does not admit it, by what is known here; undefined where it does. The service has the last word. */
  readonly refusal: (key: KeyMetadata) => string | undefined;
  readonly dialog: (props: KeyDialogProps) => JSX.Element;
}

const ENDING: ReadonlySet<string> = new Set(['PendingDeletion', 'PendingReplicaDeletion']);

function unless(isAdmitted: boolean, refusal: string): string | undefined {
  return isAdmitted ? undefined : refusal;
}

/** What can be done with keys, in the order of the menu. @source AWS KMS Developer Guide, "Key states of AWS KMS keys" */
const ACTIONS: Readonly<Record<string, KeyAction>> = {
  enable: {
    label: 'Enable',
    refusal: ({ KeyState }) => unless(KeyState === 'Disabled', 'For disabled keys'),
    dialog: EnableDialog,
  },
  disable: {
    label: 'Disable',
    refusal: ({ KeyState }) => unless(KeyState === 'Enabled', 'For enabled keys'),
    dialog: DisableDialog,
  },
  description: {
    label: 'Edit description',
    refusal: ({ KeyState }) => unless(!ENDING.has(KeyState), 'Not while the key waits for its deletion'),
    dialog: DescriptionDialog,
  },
  deleteMaterial: {
    label: 'Delete key material',
    isDanger: true,
    refusal: ({ Origin, ExpirationModel }) =>
      unless(Origin === 'EXTERNAL', 'For imported key material') ??
      unless(ExpirationModel !== undefined, 'There is no material'),
    dialog: DeleteMaterialDialog,
  },
  schedule: {
    label: 'Schedule key deletion',
    isDanger: true,
    refusal: ({ KeyState }) => unless(!ENDING.has(KeyState), 'It is scheduled already'),
    dialog: ScheduleDeletionDialog,
  },
  cancel: {
    label: 'Cancel key deletion',
    refusal: ({ KeyState }) => unless(ENDING.has(KeyState), 'For keys that wait for their deletion'),
    dialog: CancelDeletionDialog,
  },
};

/**
 * The menu *Key actions*, for one key or for those that are chosen in a table.
 *
 * @param props.keys - none where none is chosen yet
 */
export function KeyActions(props: {
  readonly region: string;
  readonly keys: readonly KeyMetadata[];
  readonly onDone: () => void;
}): JSX.Element {
  const { region, keys, onDone } = props;
  const [chosen, setChosen] = useState<string | undefined>(undefined);
  const items = Object.entries(ACTIONS).map(([id, { label, isDanger = false, refusal }]): MenuItem => {
    const refused = keys.map(refusal).find((text) => text !== undefined);
    const many = id === 'description' && keys.length > 1 ? 'For one key at a time' : undefined;
    return { id, label, isDanger, refusal: refused ?? many };
  });
  const Dialog = chosen === undefined ? undefined : ACTIONS[chosen]?.dialog;
  return (
    <>
      <Menu label="Key actions" items={items} onChoose={setChosen} isDisabled={keys.length === 0} />
      {Dialog !== undefined && (
        <Dialog region={region} keys={keys} onDone={onDone} onClose={() => setChosen(undefined)} />
      )}
    </>
  );
}
