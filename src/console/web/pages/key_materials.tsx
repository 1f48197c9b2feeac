import type { ComponentChildren, JSX } from 'preact';
import { useState } from 'preact/hooks';
import { ActionDialog } from '../components/action_dialog.js';
import { Button } from '../components/button.js';
import { CopyButton } from '../components/copy_button.js';
import { Notice } from '../components/notice.js';
import { Empty } from '../components/states.js';
import { Status, type Tone } from '../components/status.js';
import { Table, type Column } from '../components/table.js';
import { timeText } from '../components/time.js';
import type { KeyView } from '../key_tabs.js';
import type { KeyMaterial } from '../kms.js';

const STATES: Readonly<Record<string, readonly [Tone, string]>> = {
  CURRENT: ['good', 'Current'],
  NON_CURRENT: ['neutral', 'Non-current'],
  PENDING_ROTATION: ['busy', 'Pending rotation'],
  PENDING_MULTI_REGION_IMPORT_AND_ROTATION: ['busy', 'Pending multi-Region import and rotation'],
  IMPORTED: ['good', 'Imported'],
  PENDING_IMPORT: ['attention', 'Pending import'],
};

function State({ name }: { readonly name: string | undefined }): JSX.Element {
  if (name === undefined) return <span class="quiet">–</span>;
  const [tone, text] = STATES[name] ?? ['neutral', name];
  return <Status tone={tone}>{text}</Status>;
}

const seconds = (value: number | undefined): string => (value === undefined ? '–' : timeText(value * 1000));

const COLUMNS: readonly Column<KeyMaterial>[] = [
  {
    id: 'id',
    title: 'Key material ID',
    isRowHeader: true,
    value: ({ KeyMaterialId }) => KeyMaterialId,
    cell: ({ KeyMaterialId: id }) => (
      <span class="copyable">
        <code title={id}>{id.slice(0, 16)}…</code>
        <CopyButton text={id} what="key material ID" />
      </span>
    ),
  },
  {
    id: 'state',
    title: 'State',
    value: ({ KeyMaterialState }) => KeyMaterialState,
    cell: ({ KeyMaterialState }) => <State name={KeyMaterialState} />,
  },
  {
    id: 'rotated',
    title: 'Rotated',
    value: ({ RotationDate = 0 }) => RotationDate,
    cell: ({ RotationDate, RotationType }) =>
      RotationDate === undefined
        ? '–'
        : `${timeText(RotationDate * 1000)}, ${RotationType === 'AUTOMATIC' ? 'automatic' : 'on demand'}`,
  },
];

const IMPORTED_COLUMNS: readonly Column<KeyMaterial>[] = [
  ...COLUMNS.slice(0, 2),
  {
    id: 'import',
    title: 'Import state',
    value: ({ ImportState = '' }) => ImportState,
    cell: ({ ImportState }) => <State name={ImportState} />,
  },
  {
    id: 'expires',
    title: 'Expiration date',
    value: ({ ValidTo = Number.MAX_SAFE_INTEGER }) => ValidTo,
    cell: ({ ValidTo, ImportState }) =>
      ValidTo === undefined && ImportState === 'IMPORTED' ? 'Does not expire' : seconds(ValidTo),
  },
  {
    id: 'description',
    title: 'Description',
    value: ({ KeyMaterialDescription = '' }) => KeyMaterialDescription,
    cell: ({ KeyMaterialDescription: text = '' }) => text || '–',
  },
  ...COLUMNS.slice(2),
];

/**
 * All material that a key knows, the newest first.
 *
 * @param props.actions - buttons of a row, for imported material
 */
export function MaterialsTable(props: {
  readonly region: string;
  readonly materials: readonly KeyMaterial[];
  readonly actions?: (material: KeyMaterial) => ComponentChildren;
}): JSX.Element {
  const { materials, actions } = props;
  const columns =
    actions === undefined ? COLUMNS : [...IMPORTED_COLUMNS, { id: 'actions', title: 'Actions', cell: actions }];
  return (
    <Table
      label={actions === undefined ? 'Rotations' : 'Key materials'}
      rows={materials.toReversed()}
      rowKey={({ KeyMaterialId }) => KeyMaterialId}
      columns={columns}
      empty={<Empty title="The key has no material yet" />}
    />
  );
}

/** Rotates a key at once: its new material encrypts from then on, and the former decrypts. */
export function RotateNow({ region, key, reload }: KeyView): JSX.Element {
  const [isOpen, setOpen] = useState(false);
  const isImported = key.Origin === 'EXTERNAL';
  return (
    <>
      <Notice>
        <p>
          {isImported
            ? 'New material was imported, and waits: the key encrypts with it after a rotation.'
            : 'A rotation on demand gives the key new material at once, whatever its schedule.'}
        </p>
        <div>
          <Button isDisabled={key.KeyState !== 'Enabled'} onClick={() => setOpen(true)}>
            Rotate now
          </Button>
        </div>
      </Notice>
      {isOpen && (
        <ActionDialog
          title="Rotate now"
          confirm="Rotate key"
          calls={[{ region, operation: 'RotateKeyOnDemand', input: { KeyId: key.KeyId } }]}
          done="The key is rotated"
          onDone={reload}
          onClose={() => setOpen(false)}
        >
          <p>
            New data is encrypted under the new material. What was encrypted before is still decrypted: nothing has to
            be encrypted again.
          </p>
        </ActionDialog>
      )}
    </>
  );
}
