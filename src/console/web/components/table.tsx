import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useId, useMemo, useState } from 'preact/hooks';
import { setting } from '../settings.js';
import { IconButton } from './button.js';
import { Icon } from './icon.js';
import { isTableView, TableSettings, type TableView } from './table_settings.js';

/** One column of a table. */
export interface Column<Row> {
  readonly id: string;
  readonly title: string;
  readonly cell: (row: Row) => ComponentChildren;
  /** By what it is sorted, and what the search looks through; a column without cannot be sorted. */
  readonly value?: (row: Row) => string | number;
  /** Shown only where the settings say so. */
  readonly isOptional?: boolean;
  /** Cannot be hidden: the name of the row. */
  readonly isRowHeader?: boolean;
  /** Sorting by it needs what is loaded for shown rows only: {@link TableProps.onNeedAll}. */
  readonly isLazy?: boolean;
  readonly isNumber?: boolean;
}

interface TableProps<Row> {
  /** What is in it, for example "Customer managed keys"; also the name of its settings. */
  readonly label: string;
  readonly rows: readonly Row[];
  readonly rowKey: (row: Row) => string;
  readonly columns: readonly Column<Row>[];
  /** Placeholder of the search; there is none where it is absent. */
  readonly search?: string;
  /** What stands there where there are no rows at all. */
  readonly empty: ComponentChildren;
  readonly actions?: ComponentChildren;
  /** Keys of the chosen rows; without it, rows cannot be chosen. */
  readonly chosen?: ReadonlySet<string>;
  readonly onChoose?: (chosen: ReadonlySet<string>) => void;
  /** Told which rows are in view, so that more is loaded of them; keep it the same function from one rendering to the next. */
  readonly onShow?: (rows: readonly Row[]) => void;
  /** Told that all rows have to be loaded wholly, because they are sorted by a lazy column. */
  readonly onNeedAll?: () => void;
}

const views = new Map<string, ReturnType<typeof setting<TableView>>>();

/** The settings of a table, kept in the browser. */
function viewOf(label: string): ReturnType<typeof setting<TableView>> {
  const known = views.get(label);
  if (known !== undefined) return known;
  const made = setting<TableView>(`table.${label}`, { shown: null, pageSize: 50 }, isTableView);
  views.set(label, made);
  return made;
}

/** A table that is sorted, searched and paged here: of ten thousand rows only a page is in the document. */
export function Table<Row>(props: TableProps<Row>): JSX.Element {
  const { label, rows, rowKey, columns, search, empty, actions, chosen, onChoose, onShow, onNeedAll } = props;
  const view = viewOf(label);
  const { shown, pageSize } = view.value;
  const [text, setText] = useState('');
  const [order, setOrder] = useState<{ readonly id: string; readonly isDown: boolean } | undefined>(undefined);
  const [page, setPage] = useState(0);
  const [isSetting, setSetting] = useState(false);
  const searchId = useId();

  const visible = columns.filter(({ id, isOptional, isRowHeader }) =>
    isRowHeader === true ? true : shown === null ? isOptional !== true : shown.includes(id),
  );
  const found = useMemo(() => searched(rows, columns, text), [rows, columns, text]);
  const sorted = useMemo(() => inOrder(found, columns, order), [found, columns, order]);
  const pages = Math.max(1, Math.ceil(sorted.length / pageSize));
  const at = Math.min(page, pages - 1);
  const inView = useMemo(() => sorted.slice(at * pageSize, (at + 1) * pageSize), [sorted, at, pageSize]);
  useEffect(() => onShow?.(inView), [inView, onShow]);
  const isLazyOrder = columns.find(({ id }) => id === order?.id)?.isLazy === true;
  useEffect(() => {
    if (isLazyOrder) onNeedAll?.();
  }, [isLazyOrder, onNeedAll]);

  const sortBy = ({ id }: Column<Row>): void =>
    setOrder(order?.id !== id ? { id, isDown: false } : order.isDown ? undefined : { id, isDown: true });
  const choose = (key: string, isChosen: boolean): void => {
    const next = new Set(chosen);
    if (isChosen) next.add(key);
    else next.delete(key);
    onChoose?.(next);
  };

  return (
    <section class="panel table-panel" aria-label={label}>
      <div class="table-bar">
        {search !== undefined && (
          <div class="search">
            <Icon name="search" />
            <label for={searchId} class="unseen">
              {search}
            </label>
            <input
              id={searchId}
              type="search"
              placeholder={search}
              value={text}
              onInput={(event) => {
                setText(event.currentTarget.value);
                setPage(0);
              }}
            />
          </div>
        )}
        <p class="count" role="status">
          {sorted.length === rows.length ? count(rows.length) : `${count(sorted.length)} of ${count(rows.length)}`}
        </p>
        <div class="actions">
          {actions}
          {pages > 1 && <Pager page={at} pages={pages} onPage={setPage} />}
          <IconButton icon="settings" label="Table settings" onClick={() => setSetting(true)} />
        </div>
      </div>
      {rows.length === 0 ? (
        empty
      ) : (
        <div class="table-scroll" tabIndex={0} role="group" aria-label={`${label}, table`}>
          <table>
            <caption class="unseen">{label}</caption>
            <thead>
              <tr>
                {chosen !== undefined && (
                  <th scope="col" class="check">
                    <span class="unseen">Chosen</span>
                  </th>
                )}
                {visible.map((column) => (
                  <HeadCell key={column.id} column={column} order={order} onSort={() => sortBy(column)} />
                ))}
              </tr>
            </thead>
            <tbody>
              {inView.map((row) => {
                const key = rowKey(row);
                return (
                  <tr key={key} aria-selected={chosen === undefined ? undefined : chosen.has(key)}>
                    {chosen !== undefined && (
                      <td class="check">
                        <input
                          type="checkbox"
                          aria-label={`Choose ${key}`}
                          checked={chosen.has(key)}
                          onChange={(event) => choose(key, event.currentTarget.checked)}
                        />
                      </td>
                    )}
                    {visible.map(({ id, cell, isRowHeader, isNumber }) =>
                      isRowHeader === true ? (
                        <th scope="row" key={id}>
                          {cell(row)}
                        </th>
                      ) : (
                        <td key={id} class={isNumber === true ? 'number' : ''}>
                          {cell(row)}
                        </td>
                      ),
                    )}
                  </tr>
                );
              })}
            </tbody>
          </table>
          {sorted.length === 0 && <p class="state empty">Nothing has “{text}” in it.</p>}
        </div>
      )}
      {isSetting && (
        <TableSettings
          columns={columns}
          view={{ shown: visible.map(({ id }) => id), pageSize }}
          onConfirm={(next) => {
            view.value = next;
            setPage(0);
            setSetting(false);
          }}
          onClose={() => setSetting(false)}
        />
      )}
    </section>
  );
}

function HeadCell<Row>(props: {
  readonly column: Column<Row>;
  readonly order: { readonly id: string; readonly isDown: boolean } | undefined;
  readonly onSort: () => void;
}): JSX.Element {
  const { column, order, onSort } = props;
  const { id, title, value, isNumber } = column;
  const classes = isNumber === true ? 'number' : '';
  if (value === undefined) {
    return (
      <th scope="col" class={classes}>
        {title}
      </th>
    );
  }
  const isOrder = order?.id === id;
  return (
    <th scope="col" class={classes} aria-sort={isOrder ? (order.isDown ? 'descending' : 'ascending') : 'none'}>
      <button type="button" class="sort" onClick={onSort}>
        {title}
        <Icon name={isOrder ? (order.isDown ? 'down' : 'up') : 'both'} />
      </button>
    </th>
  );
}

function Pager(props: {
  readonly page: number;
  readonly pages: number;
  readonly onPage: (page: number) => void;
}): JSX.Element {
  const { page, pages, onPage } = props;
  return (
    <nav class="pager" aria-label="Pages">
      <IconButton icon="previous" label="Previous page" onClick={() => onPage(page - 1)} isDisabled={page === 0} />
      <span>
        {page + 1} / {pages}
      </span>
      <IconButton icon="next" label="Next page" onClick={() => onPage(page + 1)} isDisabled={page + 1 >= pages} />
    </nav>
  );
}

function count(rows: number): string {
  return rows.toLocaleString('en');
}

function searched<Row>(rows: readonly Row[], columns: readonly Column<Row>[], text: string): readonly Row[] {
  const wanted = text.trim().toLowerCase();
  if (wanted === '') return rows;
  return rows.filter((row) =>
    columns.some(({ value }) => value !== undefined && String(value(row)).toLowerCase().includes(wanted)),
  );
}

function inOrder<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  order: { readonly id: string; readonly isDown: boolean } | undefined,
): readonly Row[] {
  const value = columns.find(({ id }) => id === order?.id)?.value;
  if (order === undefined || value === undefined) return rows;
  const collator = new Intl.Collator('en', { numeric: true });
  const sign = order.isDown ? -1 : 1;
  return rows.toSorted((one, other) => {
    const [a, b] = [value(one), value(other)];
    // What is empty comes last, whichever way it is sorted.
    if (a === '' || b === '') return Number(a === '') - Number(b === '');
    return sign * (typeof a === 'number' && typeof b === 'number' ? a - b : collator.compare(String(a), String(b)));
  });
}
