"use client";
/** What every tile of the dashboard is told: whose sales, of which day, in which currency, compared with what. */
import { createContext, use } from "react";
import type { Row } from "../api/json";
import type { Hours } from "./figures";

export type SalesScope = {
  day: string;
  shop: string | undefined;
  /** ISO 4217; `undefined` until something is sold. */
  currency: string | undefined;
  /** "vs Sun, Nov 15, 09:00–14:00" */
  comparedWith: string;
  dayBefore: string;
  /** What is compared with the same hours of the day before. */
  hoursCompared: Hours;
  openShop: (shop: string) => void;
};

const Context = createContext<SalesScope | undefined>(undefined);

export const SalesScopeProvider = Context;

export function useScope(): SalesScope {
  const scope = use(Context);
  if (!scope) throw new Error("useScope is used outside the sales room");
  return scope;
}

/** The condition of the tile's query, as it would be typed at psql. */
export function where({ day, shop }: Pick<SalesScope, "day" | "shop">): string {
  const conditions = [`business_date = date '${quoted(day)}'`];
  if (shop) conditions.push(`shop_id = '${quoted(shop)}'`);
  return `where ${conditions.join("\n  and ")}`;
}

export function quoted(text: string): string {
  return text.replaceAll("'", "''");
}

/** The currency of the rows: `undefined` while there are none, "mixed" when their money can't be added up. */
export function currencyOf(rows: Row[]): string | "mixed" | undefined {
  const currencies = new Set(
    rows.flatMap(({ currency }) => (typeof currency === "string" ? [currency] : [])),
  );
  return currencies.size > 1 ? "mixed" : [...currencies][0];
}
