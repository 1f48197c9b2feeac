import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { Button } from '../components/button.js';
import { CopyButton } from '../components/copy_button.js';
import { Facts, Panel } from '../components/facts.js';
import { Notice } from '../components/notice.js';
import { Empty } from '../components/states.js';
import { KeyStatus } from '../components/status.js';
import { Table, type Column } from '../components/table.js';
import { failureText } from '../components/toasts.js';
import type { KeyView } from '../key_tabs.js';
import { describeKey, regionalityText, type KeyMetadata } from '../kms.js';
import { lab } from '../lab.js';
import { useLive } from '../live.js';
import { Link, pathOf } from '../router.js';
import { ChangePrimaryDialog, CreateReplicasDialog } from './key_regionality_dialogs.js';

/** One key of a set of related multi-Region keys. */
interface RelatedKey {
  readonly region: string;
  readonly arn: string;
  readonly isPrimary: boolean;
  /** Undefined where it cannot be described. */
  readonly metadata: KeyMetadata | undefined;
  readonly failure: unknown;
}

const COLUMNS: readonly Column<RelatedKey>[] = [
  {
    id: 'region',
    title: 'Region',
    isRowHeader: true,
    value: ({ region }) => region,
    cell: ({ region, arn }) => (
      <Link to={pathOf(region, 'keys', arn.split('/').at(-1) ?? '', 'regionality')}>{region}</Link>
    ),
  },
  {
    id: 'regionality',
    title: 'Regionality',
    value: ({ isPrimary }) => (isPrimary ? 'Primary' : 'Replica'),
    cell: ({ isPrimary }) => (isPrimary ? 'Primary' : 'Replica'),
  },
  {
    id: 'status',
    title: 'Status',
    value: ({ metadata }) => metadata?.KeyState ?? '',
    cell: ({ metadata, failure }) => {
      if (metadata !== undefined) return <KeyStatus state={metadata.KeyState} />;
      return <span title={failureText(failure)}>{failure instanceof Error ? failure.name : 'unknown'}</span>;
    },
  },
  {
    id: 'arn',
    title: 'Key ARN',
    value: ({ arn }) => arn,
    cell: ({ arn }) => (
      <span class="copyable">
        <code>{arn}</code>
        <CopyButton text={arn} what="key ARN" />
      </span>
    ),
  },
];

/** Where a multi-Region key is, and how it comes to other Regions. */
export function RegionalityTab(view: KeyView): JSX.Element {
  const { region, key, reload } = view;
  const [opened, setOpened] = useState<'replicas' | 'primary' | undefined>(undefined);
  const { MultiRegionConfiguration: set } = key;
  const related = [set?.PrimaryKey, ...(set?.ReplicaKeys ?? [])].flatMap((one) => one ?? []);
  const live = useLive(
    (signal) =>
      Promise.all(
        related.map(async ({ Region: there, Arn: arn }): Promise<RelatedKey> => {
          const one = { region: there, arn, isPrimary: arn === set?.PrimaryKey.Arn };
          return describeKey(there, key.KeyId, signal).then(
            (metadata) => ({ ...one, metadata, failure: undefined }),
            (failure: unknown) => ({ ...one, metadata: undefined, failure }),
          );
        }),
      ),
    // In any Region: a replica is made there, and shown here.
    { inputs: [region, key.KeyId, set?.PrimaryKey.Region ?? '', ...related.map(({ Region: there }) => there)] },
  );
  if (set === undefined) {
    return (
      <Panel title="Regionality">
        <Facts facts={[['Regionality', regionalityText(key)]]} />
        <p class="quiet">
          A single-Region key never leaves {region}, and cannot be made a multi-Region key.{' '}
          <Link to={pathOf(region, 'keys', 'create')}>Create a multi-Region key</Link> for data that goes to other
          Regions.
        </p>
      </Panel>
    );
  }
  const isPrimary = set.MultiRegionKeyType === 'PRIMARY';
  const free = (lab.value?.regions ?? []).filter((name) => !related.some(({ Region: there }) => there === name));
  const done = (): void => {
    reload();
    live.reload();
  };
  return (
    <>
      <Panel
        title="Regionality"
        actions={
          isPrimary && (
            <>
              <Button
                kind="primary"
                isDisabled={free.length === 0}
                title={free.length === 0 ? 'Each Region has one already' : ''}
                onClick={() => setOpened('replicas')}
              >
                Create replica keys
              </Button>
              <Button
                isDisabled={set.ReplicaKeys.length === 0}
                title={set.ReplicaKeys.length === 0 ? 'There is no replica that could be the primary' : ''}
                onClick={() => setOpened('primary')}
              >
                Change primary Region
              </Button>
            </>
          )
        }
      >
        <Facts
          facts={[
            ['Regionality', regionalityText(key)],
            ['Primary Region', set.PrimaryKey.Region],
          ]}
        />
        {!isPrimary && (
          <Notice>
            <p>
              Replicas are made, and the primary Region is changed, at the{' '}
              <Link to={pathOf(set.PrimaryKey.Region, 'keys', key.KeyId, 'regionality')}>
                primary key in {set.PrimaryKey.Region}
              </Link>
              .
            </p>
          </Notice>
        )}
      </Panel>
      <Table
        label="Related multi-Region keys"
        rows={live.value ?? []}
        rowKey={({ region: there }) => there}
        columns={COLUMNS}
        empty={<Empty title="Looking at the other Regions…" />}
      />
      {opened === 'replicas' && (
        <CreateReplicasDialog
          region={region}
          keyMetadata={key}
          free={free}
          onDone={done}
          onClose={() => setOpened(undefined)}
        />
      )}
      {opened === 'primary' && (
        <ChangePrimaryDialog region={region} keyMetadata={key} onDone={done} onClose={() => setOpened(undefined)} />
      )}
    </>
  );
}
