/** Reading views: their catalogue, one page, or all rows under a filter. */
import type { Row } from "./json";
import { getJson } from "./request";
import type { components } from "./schema";

export type Column = components["schemas"]["ViewColumn"];
export type View = components["schemas"]["View"];
export type Page = Omit<components["schemas"]["ViewPage"], "rows"> & { rows: Row[] };

/** Column → the value it must have. */
export type Filter = Readonly<Record<string, string>>;

export type Sort = { column: string; direction: "asc" | "desc" };

const ROWS_PER_READ = 1000;
/** Bounds what one read may bring into the browser. */
const READS_MAX = 50;

export async function listViews(signal?: AbortSignal): Promise<View[]> {
  const { views } = await getJson<components["schemas"]["Views"]>("/api/v1/views", { signal });
  return views;
}

/** The address of a view, its filter in a fixed order so that equal filters have equal addresses. */
export function viewPath(name: string, filter: Filter, suffix = ""): string {
  const query = new URLSearchParams(Object.entries(filter).sort(([a], [b]) => (a < b ? -1 : 1)));
  const text = query.toString();
  return `/api/v1/views/${encodeURIComponent(name)}${suffix}${text ? `?${text}` : ""}`;
}

export function readPage(
  name: string,
  filter: Filter,
  options: { sort?: Sort; page?: number; limit: number; signal?: AbortSignal },
): Promise<Page> {
  const { sort, page = 1, limit, signal } = options;
  const query: Record<string, string> = { ...filter, page: String(page), limit: String(limit) };
  if (sort) query.sort = `${sort.column}:${sort.direction}`;
  return getJson<Page>(viewPath(name, query), { signal });
}

/**
 * All rows under a filter. Read in pages; the position is the first page's, which is the oldest and so the one that
 * every row is sure to include.
 */
export async function readAll(name: string, filter: Filter, signal?: AbortSignal): Promise<Page> {
  const first = await readPage(name, filter, { limit: ROWS_PER_READ, signal });
  const rows = [...first.rows];
  for (let page = 2; rows.length < first.total && page <= READS_MAX; page += 1) {
    const next = await readPage(name, filter, { page, limit: ROWS_PER_READ, signal });
    if (next.rows.length === 0) break;
    rows.push(...next.rows);
  }
  return { ...first, rows };
}
