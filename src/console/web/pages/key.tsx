import type { ComponentChildren, JSX } from 'preact';
import { CliCommand } from '../components/cli_command.js';
import { Copyable } from '../components/copy_button.js';
import { Facts, PageHead, Panel } from '../components/facts.js';
import { Loaded } from '../components/states.js';
import { KeyStatus } from '../components/status.js';
import { Tabs } from '../components/tabs.js';
import { Time } from '../components/time.js';
import { KEY_TABS, type KeyView } from '../key_tabs.js';
import { aliasText, describeKey, listAliases, listMaterials, regionalityText, type KeyMetadata } from '../kms.js';
import { useLive } from '../live.js';
import type { PageProps } from '../pages.js';
import { go, Link, pathOf } from '../router.js';
import { KeyActions } from './key_actions.js';

/** A key: what it is, and its tabs. */
export function KeyPage({ params }: PageProps): JSX.Element {
  const { region = '', keyId = '', tab = '' } = params;
  const live = useLive(
    async (signal): Promise<Omit<KeyView, 'region' | 'reload'>> => {
      const key = await describeKey(region, keyId, signal);
      // Whoever may see a key may not always see its aliases and its rotations.
      const [aliases, materials] = await Promise.all([
        listAliases(region, key.KeyId, signal).catch(() => []),
        isImportedSymmetric(key) ? listMaterials(region, key.KeyId, signal).catch(() => []) : [],
      ]);
      return { key, aliases, materials };
    },
    { inputs: [region, keyId], region },
  );
  const title = aliasText(live.value?.aliases[0]?.AliasName ?? keyId);
  return (
    <>
      <PageHead
        title={title}
        trail={<Link to={pathOf(region, 'keys')}>Customer managed keys</Link>}
        actions={
          live.value !== undefined && (
            <KeyActions region={region} keys={[live.value.key]} onDone={() => live.reload()} />
          )
        }
      />
      <Loaded live={live} what={`the key ${keyId}`}>
        {(found) => {
          const view: KeyView = { ...found, region, reload: () => live.reload() };
          const tabs = KEY_TABS.filter(({ isShown }) => isShown?.(view) ?? true);
          return (
            <>
              <GeneralConfiguration {...view} />
              <Tabs
                label="Details of the key"
                tabs={tabs.map(({ id, title: name, content }) => ({
                  id,
                  title: typeof name === 'string' ? name : name(view),
                  content: () => content(view),
                }))}
                chosen={tab}
                onChoose={(chosen) => go(pathOf(region, 'keys', keyId, chosen), { replace: true })}
              />
            </>
          );
        }}
      </Loaded>
    </>
  );
}

function isImportedSymmetric({ Origin, KeySpec }: KeyMetadata): boolean {
  return Origin === 'EXTERNAL' && KeySpec === 'SYMMETRIC_DEFAULT';
}

function GeneralConfiguration({ key, aliases, region }: KeyView): JSX.Element {
  const names = aliases.map(({ AliasName }) => aliasText(AliasName)).join(', ');
  const facts: readonly (readonly [string, ComponentChildren])[] = [
    ['Alias', names],
    ['Status', <KeyStatus key="status" state={key.KeyState} />],
    ['Creation date', <Time key="created" seconds={key.CreationDate} region={region} />],
    ['Key ID', <Copyable key="id" text={key.KeyId} what="key ID" />],
    ['ARN', <Copyable key="arn" text={key.Arn} what="ARN" />],
    ['Regionality', regionalityText(key)],
    ['Description', key.Description],
    [
      'Deletion date',
      key.DeletionDate === undefined ? undefined : <Time key="deletion" seconds={key.DeletionDate} region={region} />,
    ],
    [
      'Key material expires',
      key.ValidTo === undefined ? undefined : <Time key="expiry" seconds={key.ValidTo} region={region} />,
    ],
  ];
  return (
    <Panel title="General configuration">
      <Facts facts={facts} />
      <CliCommand calls={[{ region, operation: 'DescribeKey', input: { KeyId: key.KeyId } }]} />
    </Panel>
  );
}
