import type { JSX } from 'preact';
import type { Tag } from '../key_draft.js';
import { Button, IconButton } from './button.js';
import { TextField } from './form.js';

/** A key has at most so many. @source AWS KMS Developer Guide, "Resource quotas" */
const TAGS_MAX = 50;

/** Tags that are written, row by row. */
export function TagRows(props: {
  readonly tags: readonly Tag[];
  readonly onTags: (tags: readonly Tag[]) => void;
}): JSX.Element {
  const { tags, onTags } = props;
  const change = (at: number, change: Partial<Tag>): void =>
    onTags(tags.map((tag, index) => (index === at ? { ...tag, ...change } : tag)));
  return (
    <>
      {tags.map(({ TagKey, TagValue }, at) => (
        <div class="tag-row" key={at}>
          <TextField
            label={`Key of tag ${at + 1}`}
            isRequired
            value={TagKey}
            onInput={(text) => change(at, { TagKey: text })}
          />
          <TextField
            label={`Value of tag ${at + 1}`}
            value={TagValue}
            onInput={(text) => change(at, { TagValue: text })}
          />
          <IconButton
            icon="close"
            label={`Remove tag ${at + 1}`}
            onClick={() => onTags(tags.filter((_, index) => index !== at))}
          />
        </div>
      ))}
      <div>
        <Button isDisabled={tags.length >= TAGS_MAX} onClick={() => onTags([...tags, { TagKey: '', TagValue: '' }])}>
          Add tag
        </Button>
      </div>
    </>
  );
}
