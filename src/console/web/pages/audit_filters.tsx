import type { JSX } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { AUDIT_RANGES, queryOf, type AuditFilter } from '../audit.js';
import { Button } from '../components/button.js';
import { Checkbox } from '../components/form.js';

/** People type on: what stands there is looked for when they pause. */
const PAUSE_MS = 350;

/** Fields that say which events are shown. */
export function AuditFilters(props: {
  readonly filter: AuditFilter;
  /** Names of events to choose from. */
  readonly names: readonly string[];
  readonly onFilter: (filter: AuditFilter) => void;
}): JSX.Element {
  const { filter, names, onFilter } = props;
  const change = (part: Partial<AuditFilter>): void => onFilter({ ...filter, ...part });
  return (
    <section class="filters" aria-label="Filters">
      <FilterField
        label="Text"
        value={filter.text}
        onChange={(text) => change({ text })}
        hint="anywhere in the event"
      />
      <FilterField
        label="Event name"
        value={filter.name}
        onChange={(name) => change({ name })}
        hint="Decrypt"
        choices={names}
      />
      <FilterField label="User" value={filter.user} onChange={(user) => change({ user })} hint="root" />
      <FilterField label="Key" value={filter.key} onChange={(key) => change({ key })} hint="ID, ARN or alias/name" />
      <RangeField filter={filter} onChange={(range) => change({ range })} />
      {filter.range === 'custom' && (
        <>
          <FilterField
            label="From, UTC"
            type="datetime-local"
            value={filter.from}
            onChange={(from) => change({ from })}
          />
          <FilterField label="To, UTC" type="datetime-local" value={filter.to} onChange={(to) => change({ to })} />
        </>
      )}
      <div class="filter-end">
        <Checkbox
          label="Errors only"
          isChecked={filter.isErrorsOnly}
          onChange={(isErrorsOnly) => change({ isErrorsOnly })}
        />
        <Button
          kind="plain"
          isDisabled={queryOf(filter) === ''}
          onClick={() =>
            onFilter({ name: '', user: '', key: '', range: '', from: '', to: '', text: '', isErrorsOnly: false })
          }
        >
          Clear filters
        </Button>
      </div>
    </section>
  );
}

function FilterField(props: {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly hint?: string;
  readonly choices?: readonly string[];
  readonly type?: 'search' | 'datetime-local';
}): JSX.Element {
  const { label, value, onChange, hint, choices = [], type = 'search' } = props;
  const id = useId();
  const [text, setText] = useState(value);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  // The address may name another filter than the fields did.
  useEffect(() => setText(value), [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const apply = (next: string): void => {
    clearTimeout(timer.current);
    if (next.trim() !== value) onChange(next.trim());
  };
  const take = (next: string): void => {
    setText(next);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => latest.current(next), PAUSE_MS);
  };
  const latest = useRef(apply);
  latest.current = apply;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        type={type as 'search'}
        value={text}
        placeholder={hint}
        list={choices.length === 0 ? undefined : `${id}-choices`}
        autocomplete="off"
        spellcheck={false}
        onInput={(event) => take(event.currentTarget.value)}
        onKeyDown={({ key }) => key === 'Enter' && apply(text)}
        onBlur={() => apply(text)}
      />
      {choices.length > 0 && (
        <datalist id={`${id}-choices`}>
          {choices.map((choice) => (
            <option key={choice} value={choice} />
          ))}
        </datalist>
      )}
    </div>
  );
}

function RangeField(props: { readonly filter: AuditFilter; readonly onChange: (range: string) => void }): JSX.Element {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>Time range</label>
      <select id={id} value={props.filter.range} onChange={(event) => props.onChange(event.currentTarget.value)}>
        <option value="">Any time</option>
        {Object.entries(AUDIT_RANGES).map(([range, { label }]) => (
          <option key={range} value={range}>
            {label}
          </option>
        ))}
        <option value="custom">From and to</option>
      </select>
    </div>
  );
}
