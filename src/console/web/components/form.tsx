import type { ComponentChildren, JSX } from 'preact';
import { useId } from 'preact/hooks';

interface FieldProps {
  readonly label: string;
  readonly hint?: ComponentChildren;
  /** What is wrong with what is in it; empty or absent where nothing is. */
  readonly error?: string | undefined;
  readonly isRequired?: boolean;
}

interface FieldIds {
  readonly id: string;
  readonly 'aria-describedby': string | undefined;
  readonly 'aria-invalid': boolean;
  readonly required: boolean;
}

/** A label, a field, a hint and an error that belong together. */
function Field(props: FieldProps & { readonly field: (ids: FieldIds) => JSX.Element }): JSX.Element {
  const { label, hint, error = '', isRequired = false, field } = props;
  const id = useId();
  const described = [hint === undefined ? '' : `${id}-hint`, error === '' ? '' : `${id}-error`].filter(
    (text) => text !== '',
  );
  return (
    <div class="field">
      <label for={id}>
        {label}
        {!isRequired && <span class="quiet"> (optional)</span>}
      </label>
      {hint !== undefined && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {field({
        id,
        'aria-describedby': described.length === 0 ? undefined : described.join(' '),
        'aria-invalid': error !== '',
        required: isRequired,
      })}
      {error !== '' && (
        <p class="error" id={`${id}-error`}>
          {error}
        </p>
      )}
    </div>
  );
}

interface Valued {
  readonly value: string;
  readonly onInput: (value: string) => void;
}

/** One line of text. */
export function TextField(
  props: FieldProps &
    Valued & { readonly type?: 'text' | 'number' | 'datetime-local' | 'search'; readonly placeholder?: string },
): JSX.Element {
  const { value, onInput, type = 'text', placeholder, ...field } = props;
  return (
    <Field
      {...field}
      field={(ids) => (
        <input
          {...ids}
          // The types of this attribute are a union of single texts, which no variable is.
          type={type as 'text'}
          value={value}
          placeholder={placeholder}
          autocomplete="off"
          spellcheck={false}
          onInput={(event) => onInput(event.currentTarget.value)}
        />
      )}
    />
  );
}

/** Several lines; `isCode` for policies. */
export function TextArea(
  props: FieldProps & Valued & { readonly rows?: number; readonly isCode?: boolean },
): JSX.Element {
  const { value, onInput, rows = 4, isCode, ...field } = props;
  return (
    <Field
      {...field}
      field={(ids) => (
        <textarea
          {...ids}
          rows={rows}
          class={isCode === true ? 'code' : ''}
          value={value}
          spellcheck={isCode !== true}
          onInput={(event) => onInput(event.currentTarget.value)}
        />
      )}
    />
  );
}

/** A file of the person's own: only its name is shown, and nothing of it is read before it is used. */
export function FileField(
  props: FieldProps & { readonly onFile: (file: File | undefined) => void; readonly accept?: string },
): JSX.Element {
  const { onFile, accept, ...field } = props;
  return (
    <Field
      {...field}
      field={(ids) => (
        <input {...ids} type="file" accept={accept} onChange={(event) => onFile(event.currentTarget.files?.[0])} />
      )}
    />
  );
}

/** One of a list of values. */
export interface Choice {
  readonly value: string;
  readonly label: string;
  readonly hint?: string;
  /** Why it cannot be chosen; absent where it can. */
  readonly refusal?: string;
}

/** A list that opens. */
export function SelectField(props: FieldProps & Valued & { readonly choices: readonly Choice[] }): JSX.Element {
  const { value, onInput, choices, ...field } = props;
  return (
    <Field
      {...field}
      field={(ids) => (
        <select {...ids} value={value} onChange={(event) => onInput(event.currentTarget.value)}>
          {choices.map((choice) => (
            <option key={choice.value} value={choice.value} disabled={choice.refusal !== undefined}>
              {choice.label}
            </option>
          ))}
        </select>
      )}
    />
  );
}

/** A few values that are all seen, each with what it means. */
export function Radios(
  props: Valued & { readonly label: string; readonly choices: readonly Choice[]; readonly error?: string },
): JSX.Element {
  const { label, value, onInput, choices, error = '' } = props;
  const name = useId();
  return (
    <fieldset
      class="field choices"
      aria-invalid={error !== ''}
      aria-describedby={error === '' ? undefined : `${name}-error`}
    >
      <legend>{label}</legend>
      {choices.map((choice) => (
        <label class="choice" key={choice.value}>
          <input
            type="radio"
            name={name}
            value={choice.value}
            checked={choice.value === value}
            disabled={choice.refusal !== undefined}
            onChange={() => onInput(choice.value)}
          />
          <span>
            {choice.label}
            {(choice.refusal ?? choice.hint) !== undefined && <span class="hint">{choice.refusal ?? choice.hint}</span>}
          </span>
        </label>
      ))}
      {error !== '' && (
        <p class="error" id={`${name}-error`}>
          {error}
        </p>
      )}
    </fieldset>
  );
}

/** Yes or no. */
export function Checkbox(props: {
  readonly label: ComponentChildren;
  readonly isChecked: boolean;
  readonly onChange: (isChecked: boolean) => void;
  readonly hint?: ComponentChildren;
  readonly isDisabled?: boolean;
}): JSX.Element {
  const { label, isChecked, onChange, hint, isDisabled } = props;
  return (
    <label class="choice">
      <input
        type="checkbox"
        checked={isChecked}
        disabled={isDisabled}
        onChange={(event) => onChange(event.currentTarget.checked)}
      />
      <span>
        {label}
        {hint !== undefined && <span class="hint">{hint}</span>}
      </span>
    </label>
  );
}
