import type { JSX } from 'preact';
import { CliCommand } from '../components/cli_command.js';
import { Copyable } from '../components/copy_button.js';
import { Empty } from '../components/states.js';
import { Table, type Column } from '../components/table.js';
import { timeText } from '../components/time.js';
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

/** The aliases of a key. */
export function AliasesTab({ region, key, aliases }: KeyView): JSX.Element {
  return (
    <Table
      label="Aliases"
      rows={aliases}
      rowKey={({ AliasName }) => AliasName}
      columns={COLUMNS}
      empty={
        <Empty title="This key has no alias">
          <p>An alias is a name that applications use instead of the key ID.</p>
          <CliCommand
            calls={[
              { region, operation: 'CreateAlias', input: { AliasName: 'alias/example', TargetKeyId: key.KeyId } },
            ]}
          />
        </Empty>
      }
    />
  );
}
