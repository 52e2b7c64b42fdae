import type { ComponentChildren } from 'preact';

/** A column of a table. */
export interface Column<Row> {
  name: string;
  /** How the broker names the order by it. */
  sort?: string;
  isNumber?: boolean;
  cell(row: Row): ComponentChildren;
}

/** The order of a list: the broker puts the largest number first, and the first of the alphabet. */
export interface Sorting {
  by: string;
  onSort(by: string): void;
}

interface TableProps<Row> {
  caption: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  keyOf(row: Row): string | number;
  sorting?: Sorting;
}

/** A table; on a small screen each row becomes a card with the names of its columns. */
export function Table<Row>({ caption, columns, rows, keyOf, sorting }: TableProps<Row>) {
  return (
    <div class="table-frame">
      <table>
        <caption class="unseen">{caption}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <Heading key={column.name} column={column} sorting={sorting} />
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={keyOf(row)}>
              {columns.map(({ name, isNumber, cell }) => (
                <td key={name} data-label={name} class={isNumber ? 'number' : undefined}>
                  {cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Heading<Row>({ column, sorting }: { column: Column<Row>; sorting: Sorting | undefined }) {
  const { name, sort, isNumber } = column;
  const numeric = isNumber ? 'number' : undefined;
  if (sort === undefined || sorting === undefined) {
    return (
      <th scope="col" class={numeric}>
        {name}
      </th>
    );
  }
  const isSorted = sorting.by === sort;
  return (
    <th scope="col" class={numeric} aria-sort={isSorted ? (isNumber ? 'descending' : 'ascending') : 'none'}>
      <button type="button" class="sort" onClick={() => sorting.onSort(sort)}>
        {name}
        <span aria-hidden="true">{isSorted ? (isNumber ? ' ↓' : ' ↑') : ''}</span>
      </button>
    </th>
  );
}
