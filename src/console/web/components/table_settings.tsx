import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { isTexts } from '../settings.js';
import type { Column } from './table.js';
import { Dialog } from './dialog.js';
import { Checkbox, SelectField } from './form.js';

/** Which columns a table shows, and how many rows at once. */
export interface TableView {
  /** Ids of columns; null for those that are shown unless somebody says otherwise. */
  readonly shown: readonly string[] | null;
  readonly pageSize: number;
}

const PAGE_SIZES = [20, 50, 100, 200] as const;

/** Whether a value that was kept is a view. */
export function isTableView(value: unknown): value is TableView {
  if (typeof value !== 'object' || value === null) return false;
  const { shown, pageSize } = value as Partial<TableView>;
  return (shown === null || isTexts(shown)) && (PAGE_SIZES as readonly unknown[]).includes(pageSize);
}

/** The dialog behind a table's settings icon. Nothing changes before *Confirm*. */
export function TableSettings<Row>(props: {
  readonly columns: readonly Column<Row>[];
  readonly view: TableView & { readonly shown: readonly string[] };
  readonly onConfirm: (view: TableView) => void;
  readonly onClose: () => void;
}): JSX.Element {
  const { columns, view, onConfirm, onClose } = props;
  const [shown, setShown] = useState(view.shown);
  const [pageSize, setPageSize] = useState(view.pageSize);
  const toggle = (id: string, isShown: boolean): void =>
    setShown(isShown ? [...shown, id] : shown.filter((other) => other !== id));
  return (
    <Dialog title="Table settings" confirm="Confirm" onConfirm={() => onConfirm({ shown, pageSize })} onClose={onClose}>
      <SelectField
        label="Rows on a page"
        isRequired
        value={String(pageSize)}
        onInput={(text) => setPageSize(Number(text))}
        choices={PAGE_SIZES.map((size) => ({ value: String(size), label: String(size) }))}
      />
      <fieldset class="field choices">
        <legend>Columns</legend>
        {columns.map(({ id, title, isRowHeader }) => (
          <Checkbox
            key={id}
            label={title}
            isChecked={isRowHeader === true || shown.includes(id)}
            isDisabled={isRowHeader === true}
            onChange={(isShown) => toggle(id, isShown)}
          />
        ))}
      </fieldset>
    </Dialog>
  );
}
