import { escaped } from './markup.js';

/** HTML that was made by {@link html}: whatever came from outside is escaped in it. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What may stand in markup: a text, which is escaped, markup, which is not, or several of them. */
export type Content = string | number | Markup | readonly Content[];

function textOf(content: Content): string {
  if (content instanceof Markup) return content.text;
  if (typeof content === 'string' || typeof content === 'number') return escaped(String(content));
  return content.map(textOf).join('');
}

/** HTML from a template: its own octets as they are, and everything that is put into it escaped. */
export function html(parts: TemplateStringsArray, ...contents: readonly Content[]): Markup {
  return new Markup(parts.map((part, at) => `${part}${textOf(contents[at] ?? '')}`).join(''));
}

/** Nothing. */
export const NOTHING = html``;

/** A name of PKCS#11, which may be broken after its underscores. */
export function code(name: string): Markup {
  return html`<code
    >${name.split(/(?<=_)/u).flatMap((part, at): readonly Content[] => (at === 0 ? [part] : [html`<wbr />`, part]))}</code
  >`;
}

/** One column of a table. */
export interface Column {
  readonly title: string;
  /** `short` is not broken on a wide page; `number` stands to the right. */
  readonly kind?: 'text' | 'short' | 'number';
}

/** One row: its cells, or a heading over the rows that follow. */
export type Row =
  | { readonly cells: readonly Content[]; readonly tone?: 'wrong' | 'missing' | undefined }
  | { readonly heading: string };

/**
 * A table.
 *
 * @param options - `caption` says what it shows; `isStacked`: on a narrow page its cells stand below each other, each with its column's title
 */
export function table(
  columns: readonly Column[],
  rows: readonly Row[],
  options: { readonly caption: string; readonly isStacked?: boolean },
): Markup {
  const head = columns.map(
    ({ title, kind }) => html`<th role="columnheader" scope="col" class="${kind ?? 'text'}">${title}</th>`,
  );
  const body = rows.map((row) => {
    if ('heading' in row) {
      return html`<tr role="row">
        <th role="rowheader" class="group" scope="colgroup" colspan="${columns.length}">${row.heading}</th>
      </tr> `;
    }
    const cells = row.cells.map((cell, at) => {
      const { title, kind } = columns[at] ?? { title: '' };
      return html`<td role="cell" class="${kind ?? 'text'}" data-label="${title}">${cell}</td>`;
    });
    return html`<tr role="row" class="${row.tone ?? ''}">
      ${cells}
    </tr> `;
  });
  return html`<table role="table" class="${options.isStacked === true ? 'stack' : ''}">
    <caption>
      ${options.caption}
    </caption>
    <thead role="rowgroup">
      <tr role="row">
        ${head}
      </tr>
    </thead>
    <tbody role="rowgroup">
      ${body}
    </tbody>
  </table>`;
}

/** A list, or nothing where there is nothing in it. */
export function list(items: readonly Content[]): Markup {
  return items.length === 0
    ? NOTHING
    : html`<ul>
        ${items.map((item) => html`<li>${item}</li>`)}
      </ul>`;
}

/** Pairs of a term and what is said of it. */
export function definitions(pairs: readonly (readonly [string, Content])[]): Markup {
  return html`<dl>
    ${pairs.map(
      ([term, text]) =>
        html`<dt>${term}</dt>
          <dd>${text}</dd>`,
    )}
  </dl>`;
}
