import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { ActionDialog } from '../components/action_dialog.js';
import { Button } from '../components/button.js';
import { Copyable } from '../components/copy_button.js';
import { TextField } from '../components/form.js';
import { Notice } from '../components/notice.js';
import { Empty } from '../components/states.js';
import { Table, type Column } from '../components/table.js';
import { timeText } from '../components/time.js';
import { aliasProblem } from '../key_draft.js';
import type { KeyView } from '../key_tabs.js';
import { aliasText, type Alias } from '../kms.js';

const COLUMNS: readonly Column<Alias>[] = [
  {
    id: 'name',
    title: 'Alias',
    isRowHeader: true,
    value: ({ AliasName }) => aliasText(AliasName),
    cell: ({ AliasName }) => aliasText(AliasName),
  },
  {
    id: 'arn',
    title: 'ARN',
    value: ({ AliasArn }) => AliasArn,
    cell: ({ AliasArn }) => <Copyable text={AliasArn} what="ARN" />,
  },
  {
    id: 'created',
    title: 'Created',
    value: ({ CreationDate }) => CreationDate,
    cell: ({ CreationDate }) => timeText(CreationDate * 1000),
  },
  {
    id: 'updated',
    title: 'Updated',
    value: ({ LastUpdatedDate }) => LastUpdatedDate,
    cell: ({ LastUpdatedDate }) => timeText(LastUpdatedDate * 1000),
  },
];

type Opened = { readonly dialog: 'create' } | { readonly dialog: 'move' | 'delete'; readonly alias: Alias };

interface AliasDialogProps {
  readonly region: string;
  readonly onDone: () => void;
  readonly onClose: () => void;
}

/** The aliases of a key. */
export function AliasesTab({ region, key, aliases, reload }: KeyView): JSX.Element {
  const [opened, setOpened] = useState<Opened | undefined>(undefined);
  const dialog = { region, onDone: reload, onClose: () => setOpened(undefined) };
  const columns: readonly Column<Alias>[] = [
    ...COLUMNS,
    {
      id: 'actions',
      title: 'Actions',
      cell: (alias) => (
        <span class="row-actions">
          <Button isSmall onClick={() => setOpened({ dialog: 'move', alias })}>
            Move
          </Button>
          <Button isSmall onClick={() => setOpened({ dialog: 'delete', alias })}>
            Delete
          </Button>
        </span>
      ),
    },
  ];
  return (
    <>
      <Table
        label="Aliases"
        rows={aliases}
        rowKey={({ AliasName }) => AliasName}
        columns={columns}
        actions={<Button onClick={() => setOpened({ dialog: 'create' })}>Create alias</Button>}
        empty={
          <Empty title="This key has no alias">
            <p>An alias is a name that applications use instead of the key ID.</p>
          </Empty>
        }
      />
      {opened?.dialog === 'create' && <CreateAlias {...dialog} keyId={key.KeyId} />}
      {opened?.dialog === 'move' && <MoveAlias {...dialog} alias={opened.alias} />}
      {opened?.dialog === 'delete' && <DeleteAlias {...dialog} alias={opened.alias} />}
    </>
  );
}

function CreateAlias({ keyId, ...props }: AliasDialogProps & { readonly keyId: string }): JSX.Element {
  const [name, setName] = useState('');
  const problem = aliasProblem(name);
  const input = { AliasName: `alias/${name}`, TargetKeyId: keyId };
  return (
    <ActionDialog
      title="Create alias"
      confirm="Create alias"
      calls={name === '' || problem !== '' ? [] : [{ region: props.region, operation: 'CreateAlias', input }]}
      done={`Created the alias ${name}`}
      onDone={props.onDone}
      onClose={props.onClose}
    >
      <TextField
        label="Alias name"
        hint="Without “alias/”. It is for this Region; the same name may stand for another key elsewhere."
        isRequired
        value={name}
        onInput={(text) => setName(text.replace(/^alias\//u, ''))}
        error={problem}
      />
    </ActionDialog>
  );
}

function MoveAlias({ alias, ...props }: AliasDialogProps & { readonly alias: Alias }): JSX.Element {
  const [target, setTarget] = useState('');
  const input = { AliasName: alias.AliasName, TargetKeyId: target.trim() };
  return (
    <ActionDialog
      title={`Move the alias ${aliasText(alias.AliasName)}`}
      confirm="Move alias"
      calls={target.trim() === '' ? [] : [{ region: props.region, operation: 'UpdateAlias', input }]}
      done={`Moved the alias ${aliasText(alias.AliasName)}`}
      onDone={props.onDone}
      onClose={props.onClose}
    >
      <TextField
        label="Key ID or key ARN of its new key"
        hint="A key of this Region, of the same type and usage."
        isRequired
        value={target}
        onInput={setTarget}
      />
      <Notice tone="attention">
        <p>
          Applications that use the alias encrypt under the new key from then on. They still decrypt what the old key
          encrypted, where the ciphertext says which.
        </p>
      </Notice>
    </ActionDialog>
  );
}

function DeleteAlias({ alias, ...props }: AliasDialogProps & { readonly alias: Alias }): JSX.Element {
  const { AliasName } = alias;
  return (
    <ActionDialog
      title={`Delete the alias ${aliasText(AliasName)}`}
      confirm="Delete alias"
      isDanger
      calls={[{ region: props.region, operation: 'DeleteAlias', input: { AliasName } }]}
      done={`Deleted the alias ${aliasText(AliasName)}`}
      onDone={props.onDone}
      onClose={props.onClose}
    >
      <p>The key stays. Applications that use the name do not find the key any more.</p>
    </ActionDialog>
  );
}
