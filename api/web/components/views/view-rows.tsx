"use client";
import { ChevronLeft, ChevronRight, Code, Pause, Play } from "lucide-react";
import Link from "next/link";
import { useSearchParams } from "next/navigation";
import type { FormEvent } from "react";
import type { Row, Value } from "@/lib/api/json";
import { type Column, type Filter, readPage, type Sort, type View } from "@/lib/api/views";
import { decimal } from "@/lib/decimal";
import { clock, count, number } from "@/lib/format";
import { usePoll } from "@/lib/live/use-poll";
import { useSetParams } from "@/lib/shell/address";
import { useOffered } from "@/lib/shell/subject";
import { Empty } from "../empty";
import { DataTable } from "../table/data-table";
import { useHeld } from "../tile/use-held";
import styles from "./views-room.module.css";

const ROWS_PER_PAGE = 50;
const READ_EVERY_MS = 1_500;

/** Digits after the point that a column's type has: 2 for "Decimal128(18, 2)". */
function places({ type }: Column): number {
  const scale = /decimal\w*\(\s*\d+\s*,\s*(\d+)\s*\)/i.exec(type)?.[1];
  return scale ? Number(scale) : 0;
}

function isNumeric({ type }: Column): boolean {
  return /int|decimal|float|double|numeric/i.test(type);
}

function cellText(value: Value | undefined, column: Column): string {
  if (value === null || value === undefined) return "–";
  if (!isNumeric(column)) return String(value);
  return number(decimal(value), places(column));
}

/** What the address asks for: sort, page and one column's value. */
function useQuestion(view: View) {
  const params = useSearchParams();
  const [column, direction] = (params.get("sort") ?? "").split(":");
  const isKnown = view.columns.some(({ name }) => name === column);
  const sort: Sort | undefined =
    column && isKnown ? { column, direction: direction === "desc" ? "desc" : "asc" } : undefined;
  const where = view.columns.find(({ name }) => name === params.get("column"))?.name;
  const equals = params.get("equals") ?? "";
  const filter: Filter = where && equals ? { [where]: equals } : {};
  const page = Math.max(1, Number.parseInt(params.get("page") ?? "1", 10) || 1);
  return { sort, filter, page, where, equals };
}

/** One view's rows, page by page, read again as it moves on. */
export function ViewRows({ view }: { view: View }) {
  const setParams = useSetParams();
  const { sort, filter, page, where, equals } = useQuestion(view);
  const key = JSON.stringify([view.name, sort, filter, page]);
  const polled = usePoll(
    key,
    (signal) => readPage(view.name, filter, { sort, page, limit: ROWS_PER_PAGE, signal }),
    READ_EVERY_MS,
  );
  const { shown, isHeld, toggle } = useHeld({ key, ...polled });
  const answer = shown.key === key ? shown.value : polled.value;
  const { isChosen, choose } = useOffered({
    id: `view ${view.name}`,
    title: view.title,
    meaning: `${view.grain}.`,
    view: view.name,
    position: answer?.position,
    asOf: answer?.as_of ?? null,
  });
  const onSort = (column: string) => {
    const isSame = sort?.column === column;
    setParams({ sort: `${column}:${isSame && sort.direction === "desc" ? "asc" : "desc"}`, page: undefined });
  };
  const onFilter = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget);
    setParams({
      column: String(fields.get("column")),
      equals: String(fields.get("equals")),
      page: undefined,
    });
  };
  const pages = Math.max(1, Math.ceil((answer?.total ?? 0) / ROWS_PER_PAGE));

  return (
    <div className={styles.room}>
      <div className={styles.head}>
        <div>
          <p className={styles.lead}>
            <Link href="/views">Views</Link> / <span className={styles.name}>{view.name}</span>
          </p>
          <h1>{view.title}</h1>
          <p className={styles.lead}>{view.grain}</p>
        </div>
        <div className={styles.controls}>
          <form onSubmit={onFilter} key={`${where} ${equals}`}>
            <select name="column" aria-label="Column to filter by" defaultValue={where}>
              {view.columns.map(({ name }) => (
                <option key={name}>{name}</option>
              ))}
            </select>
            <input
              name="equals"
              aria-label="Value to filter by"
              placeholder="equals…"
              defaultValue={equals}
            />
          </form>
          <button type="button" aria-pressed={isHeld} onClick={toggle}>
            {isHeld ? <Play size={14} aria-hidden="true" /> : <Pause size={14} aria-hidden="true" />}
            {isHeld ? "Resume" : "Pause"}
          </button>
          <button type="button" aria-pressed={isChosen} onClick={choose}>
            <Code size={14} aria-hidden="true" />
            Show SQL
          </button>
        </div>
      </div>
      <p className={styles.facts} data-testid="view-facts">
        <span>
          Key <strong>{view.key.join(", ")}</strong>
        </span>
        {answer && (
          <>
            <span>
              Rows <strong>{count(answer.total)}</strong>
            </span>
            <span>
              Position <strong>{count(answer.position)}</strong>
            </span>
            {answer.as_of && (
              <span>
                As of{" "}
                <strong>
                  <time dateTime={answer.as_of}>{clock(answer.as_of)}</time>
                </strong>
              </span>
            )}
          </>
        )}
        {polled.problem && answer && <span className={styles.stale}>Stale: {polled.problem.message}</span>}
      </p>
      <Body
        view={view}
        rows={answer?.rows}
        problem={polled.problem?.message}
        isFiltered={equals !== ""}
        sort={sort}
        onSort={onSort}
      />
      {pages > 1 && (
        <div className={styles.pages}>
          <button
            type="button"
            aria-label="Page before"
            disabled={page <= 1}
            onClick={() => setParams({ page: String(page - 1) })}
          >
            <ChevronLeft size={15} aria-hidden="true" />
          </button>
          <span>
            {count(page)} of {count(pages)}
          </span>
          <button
            type="button"
            aria-label="Next page"
            disabled={page >= pages}
            onClick={() => setParams({ page: String(page + 1) })}
          >
            <ChevronRight size={15} aria-hidden="true" />
          </button>
        </div>
      )}
    </div>
  );
}

type BodyProps = {
  view: View;
  rows: Row[] | undefined;
  problem: string | undefined;
  isFiltered: boolean;
  sort: Sort | undefined;
  onSort: (column: string) => void;
};

function Body({ view, rows, problem, isFiltered, sort, onSort }: BodyProps) {
  const setParams = useSetParams();
  if (!rows && problem) {
    return (
      <Empty kind="failed" title="This view can't be read at the moment">
        {problem}
      </Empty>
    );
  }
  if (!rows) return <p className={styles.waiting}>Reading…</p>;
  if (rows.length === 0 && isFiltered) {
    return (
      <Empty kind="no-match" title="No row has that value">
        <button
          type="button"
          className={styles.link}
          onClick={() => setParams({ column: undefined, equals: undefined })}
        >
          Remove the filter
        </button>
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
          cell: (row: Row) => cellText(row[column.name], column),
        }))}
      />
    </div>
  );
}
