"use client";
/** Everything the sales dashboard reads, under the address's shop and day. */
import { useSearchParams } from "next/navigation";
import { useMemo } from "react";
import { type Filter, readAll, readPage } from "../api/views";
import { shiftDay } from "../format";
import { useLive } from "../live/use-live";
import { type Polled, usePoll } from "../live/use-poll";
import type { LiveRows } from "../live/view";
import { useShopParam } from "../shell/address";

export const HOURS = "live_sales_by_shop_hour";
export const DAYS = "live_sales_by_shop_day";
export const CATEGORIES = "live_sales_by_category_day";
export const PRODUCTS = "live_top_products_day";
export const PAYMENTS = "live_payment_mix_day";
export const LOW_STOCK = "live_low_stock";

const NEWEST_DAY_EVERY_MS = 10_000;
const DAY_BEFORE_EVERY_MS = 60_000;
const LOW_STOCK_EVERY_MS = 5_000;
const LOW_STOCK_ROWS = 7;
const DAYS_COMPARED = 7;

export type SalesData = {
  shop: string | undefined;
  /** The business date shown; `undefined` until the newest is known. */
  day: string | undefined;
  /** The newest business date with a sale. */
  newestDay: string | undefined;
  /** Why the newest day is not known, if it isn't. */
  newest: Polled<string | undefined>;
  dayBefore: string | undefined;
  hours: LiveRows;
  hoursBefore: LiveRows["rows"];
  categories: LiveRows;
  products: LiveRows;
  payments: LiveRows;
  lowStock: LiveRows & { total: number };
};

async function readNewestDay(signal: AbortSignal): Promise<string | undefined> {
  const page = await readPage(
    DAYS,
    {},
    { sort: { column: "business_date", direction: "desc" }, limit: 1, signal },
  );
  const date = page.rows[0]?.business_date;
  return date === undefined ? undefined : String(date);
}

function useNewestDay() {
  return usePoll("newest day", readNewestDay, NEWEST_DAY_EVERY_MS);
}

function useLowStock(shop: string | undefined): LiveRows & { total: number } {
  const filter: Filter = shop ? { shop_id: shop } : {};
  const { value, problem } = usePoll(
    `low stock ${shop ?? ""}`,
    (signal) =>
      readPage(LOW_STOCK, filter, {
        sort: { column: "on_hand", direction: "asc" },
        limit: LOW_STOCK_ROWS,
        signal,
      }),
    LOW_STOCK_EVERY_MS,
  );
  const phase = problem ? (problem.isRefusal ? "refused" : "stale") : value ? "live" : "connecting";
  return {
    phase,
    rows: value?.rows ?? [],
    total: value?.total ?? 0,
    position: value?.position,
    asOf: value?.as_of ?? null,
    problem,
  };
}

export function useSales(): SalesData {
  const [shop] = useShopParam();
  const chosenDay = useSearchParams().get("day") ?? undefined;
  const newest = useNewestDay();
  const day = chosenDay ?? newest.value;
  const filter = useMemo<Filter | undefined>(
    () => (day ? { business_date: day, ...(shop && { shop_id: shop }) } : undefined),
    [day, shop],
  );
  const dayBefore = day && shiftDay(day, -DAYS_COMPARED);
  const before = usePoll(
    dayBefore && `${dayBefore} ${shop ?? ""}`,
    (signal) => readAll(HOURS, { ...filter, business_date: dayBefore as string }, signal),
    DAY_BEFORE_EVERY_MS,
  );
  return {
    shop,
    day,
    newestDay: newest.value,
    newest,
    dayBefore,
    hours: useLive(HOURS, filter),
    hoursBefore: before.value?.rows ?? [],
    products: useLive(PRODUCTS, filter),
    categories: useLive(CATEGORIES, filter),
    payments: useLive(PAYMENTS, filter),
    lowStock: useLowStock(shop),
  };
}
