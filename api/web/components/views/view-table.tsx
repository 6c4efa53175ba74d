"use client";
import type { Row } from "@/lib/api/json";
import type { Problem } from "@/lib/api/problem";
import type { Sort, View } from "@/lib/api/views";
import { useSetParams } from "@/lib/shell/address";
import { Empty } from "../empty";
import { DataTable } from "../table/data-table";
import { Cell, isNumeric } from "./cell";
import styles from "./views-room.module.css";

type Props = {
  view: View;
  /** `undefined` until they are read. */
  rows: Row[] | undefined;
  problem: Problem | undefined;
  isFiltered: boolean;
  sort: Sort | undefined;
  onSort: (column: string) => void;
};

/** A page of a view's rows, or why there is none. */
export function ViewTable({ view, rows, problem, isFiltered, sort, onSort }: Props) {
  if (!rows && problem?.status === 400) {
    return (
      <Empty kind="no-match" title="No row can have that value">
        {problem.message} <RemoveFilter />
      </Empty>
    );
  }
  if (!rows && problem) {
    return (
      <Empty kind={problem.isRefusal ? "not-allowed" : "failed"} title="This view can't be read">
        {problem.message}
      </Empty>
    );
  }
  if (!rows) return <p className={styles.waiting}>Reading…</p>;
  if (rows.length === 0 && isFiltered) {
    return (
      <Empty kind="no-match" title="No row has that value">
        <RemoveFilter />
      </Empty>
    );
  }
  if (rows.length === 0) return <Empty kind="no-data" title="This view has no rows yet" />;
  return (
    <div className={styles.card}>
      <DataTable
        caption={view.title}
        rows={rows}
        rowKey={(row) => JSON.stringify(view.key.map((column) => row[column]))}
        sort={sort}
        onSort={onSort}
        columns={view.columns.map((column) => ({
          id: column.name,
          title: column.name,
          isNumeric: isNumeric(column),
          cell: (row: Row) => <Cell value={row[column.name]} column={column} />,
        }))}
      />
    </div>
  );
}

function RemoveFilter() {
  const setParams = useSetParams();
  return (
    <button
      type="button"
      className={styles.link}
      onClick={() => setParams({ column: undefined, equals: undefined })}
    >
      Remove the filter
    </button>
  );
}
