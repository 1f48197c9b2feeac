import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { ActionDialog } from '../components/action_dialog.js';
import { Button } from '../components/button.js';
import type { CliCall } from '../components/cli_command.js';
import { Empty, Loaded } from '../components/states.js';
import { Table, type Column } from '../components/table.js';
import { TagRows } from '../components/tag_rows.js';
import { tagsProblem, type Tag } from '../key_draft.js';
import type { KeyView } from '../key_tabs.js';
import { allPages } from '../kms.js';
import { useLive } from '../live.js';

interface TagPage {
  readonly Tags: readonly Tag[];
  readonly Truncated: boolean;
  readonly NextMarker?: string;
}

const COLUMNS: readonly Column<Tag>[] = [
  { id: 'key', title: 'Tag key', isRowHeader: true, value: ({ TagKey }) => TagKey, cell: ({ TagKey }) => TagKey },
  { id: 'value', title: 'Tag value', value: ({ TagValue }) => TagValue, cell: ({ TagValue }) => TagValue || '–' },
];

/** Tags of a key. */
export function TagsTab({ region, key }: KeyView): JSX.Element {
  const [isEditing, setEditing] = useState(false);
  const live = useLive(
    async (signal) => {
      const pages = await allPages<TagPage>(region, 'ListResourceTags', { KeyId: key.KeyId, Limit: 50 }, signal);
      return pages.flatMap(({ Tags }) => Tags);
    },
    { inputs: [region, key.KeyId], region },
  );
  return (
    <Loaded live={live} what="the tags">
      {(tags) => (
        <>
          <Table
            label="Tags"
            rows={tags}
            rowKey={({ TagKey }) => TagKey}
            columns={COLUMNS}
            actions={<Button onClick={() => setEditing(true)}>Edit tags</Button>}
            empty={
              <Empty title="This key has no tags">
                <p>Tags say what a key is for, and policies can decide by them. “Edit tags” adds the first.</p>
              </Empty>
            }
          />
          {isEditing && (
            <EditTags
              region={region}
              keyId={key.KeyId}
              tags={tags}
              onDone={() => live.reload()}
              onClose={() => setEditing(false)}
            />
          )}
        </>
      )}
    </Loaded>
  );
}

function EditTags(props: {
  readonly region: string;
  readonly keyId: string;
  readonly tags: readonly Tag[];
  readonly onDone: () => void;
  readonly onClose: () => void;
}): JSX.Element {
  const { region, keyId, onDone, onClose } = props;
  // What others change meanwhile does not change what is being written.
  const [before] = useState(props.tags);
  const [tags, setTags] = useState(before);
  const problem = tagsProblem(tags);
  return (
    <ActionDialog
      title="Edit tags"
      confirm="Save"
      isWide
      calls={problem === '' ? tagCalls({ region, keyId }, before, tags) : []}
      done="Changed the tags"
      onDone={onDone}
      onClose={onClose}
    >
      {tags.length === 0 && <p class="quiet">There are none.</p>}
      <TagRows tags={tags} onTags={setTags} />
      {problem !== '' && <p class="error">{problem}</p>}
    </ActionDialog>
  );
}

/** What makes tags of one kind those of another. */
function tagCalls(
  { region, keyId }: { readonly region: string; readonly keyId: string },
  before: readonly Tag[],
  after: readonly Tag[],
): readonly CliCall[] {
  const gone = before.filter(({ TagKey }) => !after.some((tag) => tag.TagKey === TagKey));
  const changed = after.filter(
    ({ TagKey, TagValue }) => !before.some((tag) => tag.TagKey === TagKey && tag.TagValue === TagValue),
  );
  const call = (operation: string, input: object): CliCall => ({
    region,
    operation,
    input: { KeyId: keyId, ...input },
  });
  return [
    ...(gone.length > 0 ? [call('UntagResource', { TagKeys: gone.map(({ TagKey }) => TagKey) })] : []),
    ...(changed.length > 0 ? [call('TagResource', { Tags: changed })] : []),
  ];
}
