import type { JSX } from 'preact';
import { Button } from '../components/button.js';
import { Facts, Panel } from '../components/facts.js';
import { Checkbox, Radios, SelectField, TextArea, TextField } from '../components/form.js';
import { Notice } from '../components/notice.js';
import { TagRows } from '../components/tag_rows.js';
import { aliasProblem, defaultPolicy, withSpec, withType, type KeyDraft } from '../key_draft.js';
import { importRefusal, specsOf, usagesOf } from '../key_specs.js';
import { originText, usageText } from '../kms.js';
import { lab } from '../lab.js';

/** What each step is rendered with. */
export interface StepProps {
  readonly region: string;
  readonly draft: KeyDraft;
  readonly onDraft: (draft: KeyDraft) => void;
  /** Whether somebody wanted to go on: what is missing is said only then. */
  readonly isChecked: boolean;
}

/** What kind of key, and the advanced options. */
export function ConfigureStep({ draft, onDraft, isChecked }: StepProps): JSX.Element {
  const { type, usage, spec, origin, isAcknowledged, isMultiRegion } = draft;
  const specs = specsOf(type, usage);
  return (
    <Panel title="Configure key">
      <Radios
        label="Key type"
        value={type}
        onInput={(value) => onDraft(withType(draft, value === 'asymmetric' ? value : 'symmetric'))}
        choices={[
          {
            value: 'symmetric',
            label: 'Symmetric',
            hint: 'One key for both directions: to encrypt and decrypt, or for HMAC.',
          },
          {
            value: 'asymmetric',
            label: 'Asymmetric',
            hint: 'A public and a private key, to encrypt, to sign or to agree on secrets.',
          },
        ]}
      />
      <Radios
        label="Key usage"
        value={usage}
        onInput={(value) => onDraft(withType(draft, type, value))}
        choices={usagesOf(type).map((row) => ({ value: row.usage, label: usageText(row.usage), hint: row.hint }))}
      />
      <SelectField
        label="Key spec"
        isRequired
        value={spec}
        onInput={(value) => onDraft(withSpec(draft, value))}
        choices={specs.map((value) => ({ value, label: value }))}
      />
      <details class="more" open={origin === 'EXTERNAL' || isMultiRegion}>
        <summary>Advanced options</summary>
        <div class="more-body">
          <Radios
            label="Key material origin"
            value={origin}
            onInput={(value) =>
              onDraft({ ...draft, origin: value === 'EXTERNAL' ? value : 'AWS_KMS', isAcknowledged: false })
            }
            choices={[
              {
                value: 'AWS_KMS',
                label: 'KMS (recommended)',
                hint: 'The Region’s token makes the material, and it never leaves tokens.',
              },
              {
                value: 'EXTERNAL',
                label: 'External (Import key material)',
                hint: 'You make the material, import it, and keep a copy.',
                ...(importRefusal(spec) !== undefined && { refusal: importRefusal(spec) ?? '' }),
              },
            ]}
          />
          {origin === 'EXTERNAL' && (
            <Checkbox
              label="I understand the security, availability and durability implications of using imported key material"
              hint={
                isChecked && !isAcknowledged ? (
                  <span class="error">This has to be acknowledged.</span>
                ) : (
                  'If the material is deleted or expires, only you can bring it back.'
                )
              }
              isChecked={isAcknowledged}
              onChange={(value) => onDraft({ ...draft, isAcknowledged: value })}
            />
          )}
          <Radios
            label="Regionality"
            value={isMultiRegion ? 'multi' : 'single'}
            onInput={(value) => onDraft({ ...draft, isMultiRegion: value === 'multi' })}
            choices={[
              { value: 'single', label: 'Single-Region key', hint: 'It never leaves this Region.' },
              {
                value: 'multi',
                label: 'Multi-Region key',
                hint: 'It can be replicated into other Regions. This cannot be changed later.',
              },
            ]}
          />
        </div>
      </details>
    </Panel>
  );
}

/** How people find the key. */
export function LabelsStep({ draft, onDraft, isChecked }: StepProps): JSX.Element {
  return (
    <Panel title="Add labels">
      <TextField
        label="Alias"
        hint="A name that applications use instead of the key ID."
        value={draft.alias}
        onInput={(alias) => onDraft({ ...draft, alias: alias.replace(/^alias\//u, '') })}
        error={isChecked ? aliasProblem(draft.alias) : ''}
      />
      <TextField
        label="Description"
        hint="Nothing secret: it is shown to everybody who may describe the key."
        value={draft.description}
        onInput={(description) => onDraft({ ...draft, description })}
      />
      <fieldset class="field">
        <legend>Tags</legend>
        <TagRows tags={draft.tags} onTags={(tags) => onDraft({ ...draft, tags })} />
      </fieldset>
    </Panel>
  );
}

/** Who may do what with the key. */
export function PolicyStep({ draft, onDraft }: StepProps): JSX.Element {
  const usual = defaultPolicy(lab.value ?? { partition: 'aws', account: '' });
  const isUsual = draft.policy === '';
  return (
    <Panel
      title="Key policy"
      actions={!isUsual && <Button onClick={() => onDraft({ ...draft, policy: '' })}>Take the default policy</Button>}
    >
      <Notice>
        <p>
          With the default policy, the account’s root may do everything, and policies of the lab file decide for its
          other principals.
        </p>
      </Notice>
      <TextArea
        label="Key policy"
        isRequired
        isCode
        rows={16}
        value={isUsual ? usual : draft.policy}
        onInput={(policy) => onDraft({ ...draft, policy: policy === usual ? '' : policy })}
      />
    </Panel>
  );
}

/** Everything once more. */
export function ReviewStep({ region, draft }: StepProps): JSX.Element {
  const { type, spec, usage, origin, isMultiRegion, alias, description, tags, policy } = draft;
  return (
    <>
      <Panel title="Key configuration">
        <Facts
          facts={[
            ['Region', region],
            ['Key type', type === 'symmetric' ? 'Symmetric' : 'Asymmetric'],
            ['Key spec', spec],
            ['Key usage', usageText(usage)],
            ['Origin', originText(origin)],
            ['Regionality', isMultiRegion ? 'Multi-Region key' : 'Single-Region key'],
          ]}
        />
      </Panel>
      <Panel title="Labels">
        <Facts
          facts={[
            ['Alias', alias],
            ['Description', description],
            ['Tags', tags.map(({ TagKey, TagValue }) => `${TagKey} = ${TagValue}`).join(', ')],
          ]}
        />
      </Panel>
      <Panel title="Key policy">
        <pre class="document" tabIndex={0} aria-label="Key policy">
          <code>{policy === '' ? defaultPolicy(lab.value ?? { partition: 'aws', account: '' }) : policy}</code>
        </pre>
      </Panel>
      <p class="quiet">The key type, spec, usage, origin and regionality of a key can never be changed.</p>
    </>
  );
}
