"use client";
import { ChevronLeft, ChevronRight, Code, Pause, Play } from "lucide-react";
import Link from "next/link";
import { useSearchParams } from "next/navigation";
import type { FormEvent } from "react";
import { type Filter, readPage, type Sort, type View } from "@/lib/api/views";
import { clock, count } from "@/lib/format";
import { usePoll } from "@/lib/live/use-poll";
import { useSetParams } from "@/lib/shell/address";
import { useOffered } from "@/lib/shell/subject";
import { useHeld } from "../tile/use-held";
import { ViewTable } from "./view-table";
import styles from "./views-room.module.css";

const ROWS_PER_PAGE = 50;
const READ_EVERY_MS = 1_500;

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
  const { shown, isHeld, toggle } = useHeld(polled, key, polled.value !== undefined);
  const answer = shown.value;
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
    <div className={`${styles.room} ${styles.whole}`}>
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
      <ViewTable
        view={view}
        rows={answer?.rows}
        problem={polled.problem}
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
