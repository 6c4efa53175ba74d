import { ArrowDown, ArrowUp } from "lucide-react";
import type { ReactNode } from "react";
import type { Sort } from "@/lib/api/views";
import styles from "./data-table.module.css";

export type TableColumn<R> = {
  id: string;
  title: string;
  isNumeric?: boolean;
  cell: (row: R) => ReactNode;
};

type Props<R> = {
  caption: string;
  columns: TableColumn<R>[];
  rows: R[];
  rowKey: (row: R) => string;
  sort?: Sort;
  /** Given where the reader may choose the order. */
  onSort?: (column: string) => void;
};

export function DataTable<R>({ caption, columns, rows, rowKey, sort, onSort }: Props<R>) {
  const direction = (id: string) =>
    sort?.column !== id
      ? undefined
      : sort.direction === "asc"
        ? ("ascending" as const)
        : ("descending" as const);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a wide table is scrolled with the keyboard
    <section className={styles.scroll} tabIndex={0} aria-label={`${caption}: table`}>
      <table className={styles.table}>
        <caption className="visually-hidden">{caption}</caption>
        <thead>
          <tr>
            {columns.map(({ id, title, isNumeric }) => (
              <th
                key={id}
                scope="col"
                className={isNumeric ? "numeric" : undefined}
                aria-sort={direction(id)}
              >
                {onSort ? (
                  <button type="button" onClick={() => onSort(id)}>
                    {title}
                    {direction(id) === "ascending" && <ArrowUp size={12} aria-hidden="true" />}
                    {direction(id) === "descending" && <ArrowDown size={12} aria-hidden="true" />}
                  </button>
                ) : (
                  title
                )}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={rowKey(row)}>
              {columns.map(({ id, isNumeric, cell }) => (
                <td key={id} className={isNumeric ? "numeric" : undefined}>
                  {cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
