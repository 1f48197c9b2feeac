import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { CliCommand } from '../components/cli_command.js';
import { CopyButton } from '../components/copy_button.js';
import { PageHead } from '../components/facts.js';
import { Empty, Loaded } from '../components/states.js';
import { keyStateText, KeyStatus } from '../components/status.js';
import { Table, type Column } from '../components/table.js';
import { useKeyRows, type KeyRow } from '../key_rows.js';
import { aliasText, keyTypeText, originText, regionalityText, usageText, type KeyMetadata } from '../kms.js';
import type { PageProps } from '../pages.js';
import { Link, pathOf } from '../router.js';
import { KeyActions } from './key_actions.js';

/** A column of what DescribeKey answers: loaded for the rows in view. */
function described(
  id: string,
  title: string,
  text: (metadata: KeyMetadata) => string,
  cell?: (metadata: KeyMetadata) => JSX.Element,
): Column<KeyRow> {
  return {
    id,
    title,
    isLazy: true,
    value: ({ metadata }) => (metadata === undefined ? '' : text(metadata)),
    cell: ({ metadata, failure }) => {
      if (metadata !== undefined) return cell?.(metadata) ?? text(metadata);
      return <span class="quiet">{failure === undefined ? '…' : '–'}</span>;
    },
  };
}

/** One whose longer texts take two lines before the table gets wider than the page. */
function inWords(id: string, title: string, text: (metadata: KeyMetadata) => string): Column<KeyRow> {
  return described(id, title, text, (metadata) => <span class="wraps">{text(metadata)}</span>);
}

const columnsOf = (region: string): readonly Column<KeyRow>[] => [
  {
    id: 'alias',
    title: 'Aliases',
    value: ({ aliases }) => aliases.map(({ AliasName }) => aliasText(AliasName)).join(' '),
    cell: ({ keyId, aliases }) =>
      aliases.length === 0 ? (
        <span class="quiet">–</span>
      ) : (
        <Link to={pathOf(region, 'keys', keyId)}>
          {aliasText(aliases[0]?.AliasName ?? '')}
          {aliases.length > 1 && ` +${aliases.length - 1}`}
        </Link>
      ),
  },
  {
    id: 'keyId',
    title: 'Key ID',
    isRowHeader: true,
    value: ({ keyId }) => keyId,
    cell: ({ keyId }) => (
      <span class="copyable">
        <Link to={pathOf(region, 'keys', keyId)}>
          <code>{keyId}</code>
        </Link>
        <CopyButton text={keyId} what="key ID" />
      </span>
    ),
  },
  {
    ...described('status', 'Status', ({ KeyState }) => keyStateText(KeyState)),
    cell: ({ metadata, failure }) => {
      if (metadata !== undefined) return <KeyStatus state={metadata.KeyState} />;
      if (failure === undefined) return <span class="quiet">…</span>;
      return (
        <span class="quiet" title={failure instanceof Error ? failure.message : ''}>
          {failure instanceof Error ? failure.name : 'unknown'}
        </span>
      );
    },
  },
  described('type', 'Key type', ({ KeySpec }) => keyTypeText(KeySpec)),
  described('spec', 'Key spec', ({ KeySpec }) => KeySpec),
  inWords('usage', 'Key usage', ({ KeyUsage }) => usageText(KeyUsage)),
  inWords('regionality', 'Regionality', regionalityText),
  { ...inWords('origin', 'Origin', ({ Origin }) => originText(Origin)), isOptional: true },
  {
    ...described('created', 'Creation date', ({ CreationDate }) =>
      new Date(CreationDate * 1000).toISOString().slice(0, 19).replace('T', ' '),
    ),
    isOptional: true,
  },
  { ...described('description', 'Description', ({ Description }) => Description), isOptional: true },
];

const NONE: ReadonlySet<string> = new Set();
const COLUMNS = new Map<string, readonly Column<KeyRow>[]>();

/** The table of customer managed keys of a region. */
export function KeysPage({ params }: PageProps): JSX.Element {
  const region = params['region'] ?? '';
  const columns = COLUMNS.get(region) ?? columnsOf(region);
  COLUMNS.set(region, columns);
  const keys = useKeyRows(region);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(NONE);
  useEffect(() => setChosen(NONE), [region]);
  return (
    <>
      <PageHead
        title="Customer managed keys"
        subtitle={`KMS keys of ${region}. Their material is in the Region’s token.`}
      />
      <Loaded live={keys.live} what="the keys">
        {(rows) => (
          <Table
            key={region}
            label="Customer managed keys"
            rows={rows}
            rowKey={({ keyId }) => keyId}
            columns={columns}
            search="Find keys by alias, ID or spec"
            onShow={keys.show}
            onNeedAll={keys.showAll}
            chosen={chosen}
            onChoose={setChosen}
            actions={
              <>
                {keys.waiting > 10 && <span class="quiet">{keys.waiting.toLocaleString('en')} keys to load</span>}
                <KeyActions
                  region={region}
                  keys={rows.flatMap(({ keyId, metadata }) =>
                    metadata !== undefined && chosen.has(keyId) ? [metadata] : [],
                  )}
                  onDone={() => {
                    setChosen(NONE);
                    keys.live.reload();
                  }}
                />
                <Link class="button primary" to={pathOf(region, 'keys', 'create')}>
                  Create key
                </Link>
              </>
            }
            empty={
              <Empty title={`There are no keys in ${region}`}>
                <p>
                  <Link to={pathOf(region, 'keys', 'create')}>Create a key</Link>, or choose another Region at the top
                  right.
                </p>
                <CliCommand calls={[{ region, operation: 'CreateKey', input: {} }]} />
              </Empty>
            }
          />
        )}
      </Loaded>
    </>
  );
}
