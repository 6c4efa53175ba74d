/** The arithmetic behind the sales dashboard: rows of live views in, exact figures out. Pure. */
import type { Row } from "../api/json";
import { type Decimal, decimal, divide } from "../decimal";

export type Totals = {
  revenue: Decimal;
  invoices: Decimal;
  margin: Decimal;
  units: Decimal;
};

export type HourTotals = Totals & { hour: number };

export type Ranked = Totals & {
  id: string;
  name: string;
  /** Part of the whole, 0…1; for bars and percentages only. */
  share: number;
};

function nothing(): Totals {
  return { revenue: 0n, invoices: 0n, margin: 0n, units: 0n };
}

function add(to: Totals, row: Row): void {
  to.revenue += decimal(row.revenue);
  to.invoices += decimal(row.invoices);
  to.margin += decimal(row.margin);
  to.units += decimal(row.units);
}

/** Hours of a business day: from one of 0…24 on, until before another. */
export type Hours = { from: number; until: number };

export const WHOLE_DAY: Hours = { from: 0, until: 24 };

/**
 * The hours in which a day can be compared with another, given its rows of `live_sales_by_shop_hour`: of a day that goes
 * on, those since its first sale that are over.
 */
export function hoursToCompare(rows: Row[], isOver: boolean): Hours {
  if (isOver) return WHOLE_DAY;
  const hours = rows.map((row) => Number(row.business_hour));
  return hours.length === 0 ? { from: 0, until: 0 } : { from: Math.min(...hours), until: Math.max(...hours) };
}

/** The sums of rows of `live_sales_by_shop_hour` in these hours. */
export function totals(rows: Row[], { from, until }: Hours = WHOLE_DAY): Totals {
  const sums = nothing();
  for (const row of rows) {
    const hour = Number(row.business_hour);
    if (hour >= from && hour < until) add(sums, row);
  }
  return sums;
}

/** One entry per hour from the first to the last with a sale, also for hours without one. */
export function byHour(rows: Row[]): HourTotals[] {
  const hours = new Map<number, Totals>();
  for (const row of rows) {
    const hour = Number(row.business_hour);
    const sums = hours.get(hour) ?? nothing();
    add(sums, row);
    hours.set(hour, sums);
  }
  if (hours.size === 0) return [];
  const first = Math.min(...hours.keys());
  const last = Math.max(...hours.keys());
  return Array.from({ length: last - first + 1 }, (_, index) => {
    const hour = first + index;
    return { hour, ...(hours.get(hour) ?? nothing()) };
  });
}

/** Sums per id, the highest revenue first. */
export function ranked(rows: Row[], idColumn: string, nameColumn: string): Ranked[] {
  const groups = new Map<string, { name: string; sums: Totals }>();
  for (const row of rows) {
    const id = String(row[idColumn]);
    const group = groups.get(id) ?? { name: String(row[nameColumn] ?? "Without a name"), sums: nothing() };
    add(group.sums, row);
    groups.set(id, group);
  }
  const whole = [...groups.values()].reduce((sum, { sums }) => sum + sums.revenue, 0n);
  return [...groups]
    .map(([id, { name, sums }]) => ({ id, name, ...sums, share: ratio(sums.revenue, whole) ?? 0 }))
    .sort((a, b) =>
      a.revenue === b.revenue ? a.name.localeCompare(b.name) : a.revenue < b.revenue ? 1 : -1,
    );
}

export type Tender = { tender: string; amount: Decimal; count: Decimal; share: number };

export function paymentMix(rows: Row[]): Tender[] {
  const tenders = new Map<string, { amount: Decimal; count: Decimal }>();
  for (const row of rows) {
    const name = String(row.tender);
    const before = tenders.get(name) ?? { amount: 0n, count: 0n };
    tenders.set(name, {
      amount: before.amount + decimal(row.amount),
      count: before.count + decimal(row.count),
    });
  }
  const whole = [...tenders.values()].reduce((sum, { amount }) => sum + amount, 0n);
  return [...tenders]
    .map(([tender, sums]) => ({ tender, ...sums, share: ratio(sums.amount, whole) ?? 0 }))
    .sort((a, b) => (a.amount < b.amount ? 1 : -1));
}

export function basket({ revenue, invoices }: Totals): Decimal | undefined {
  return divide(revenue, invoices);
}

/** A quotient to show as a percentage. */
export function ratio(part: Decimal, whole: Decimal): number | undefined {
  return whole === 0n ? undefined : Number((part * 1_000_000n) / whole) / 1_000_000;
}

/** Growth from one figure to another: 0.05 is five per cent more. */
export function change(now: Decimal | undefined, before: Decimal | undefined): number | undefined {
  if (now === undefined || before === undefined || before <= 0n) return undefined;
  return ratio(now - before, before);
}
