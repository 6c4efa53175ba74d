"use client";
import { approximate, type Decimal, divide } from "@/lib/decimal";
import { count, money, percent } from "@/lib/format";
import type { LiveRows } from "@/lib/live/view";
import { basket, byHour, change, type HourTotals, ratio, type Totals, totals } from "@/lib/sales/figures";
import { type SalesScope, useScope, where } from "@/lib/sales/scope";
import { HOURS } from "@/lib/sales/use-sales";
import { Figure } from "../tile/figure";
import { Tile } from "../tile/tile";
import { NothingSold } from "./nothing-sold";
import styles from "./sales-room.module.css";
import { useHeldRows } from "./use-held-rows";

type Rows = LiveRows["rows"];

type KeyFigure = {
  id: string;
  title: string;
  meaning: string;
  select: string;
  of: (totals: Totals) => Decimal | undefined;
  show: (value: Decimal, scope: SalesScope) => string;
  detail: (totals: Totals) => string | undefined;
};

const KEY_FIGURES: KeyFigure[] = [
  {
    id: "revenue",
    title: "Revenue",
    meaning: "What was sold, less what was returned, without tax.",
    select: "sum(revenue)",
    of: ({ revenue }) => revenue,
    show: (value, { currency }) => money(value, currency),
    detail: ({ units }) => `${count(units)} units`,
  },
  {
    id: "invoices",
    title: "Invoices",
    meaning: "Invoices issued at the tills.",
    select: "sum(invoices)",
    of: ({ invoices }) => invoices,
    show: (value) => count(value),
    detail: () => undefined,
  },
  {
    id: "basket",
    title: "Basket size",
    meaning: "Revenue for each invoice, on average.",
    select: "sum(revenue) / sum(invoices)",
    of: basket,
    show: (value, { currency }) => money(value, currency),
    detail: ({ units, invoices }) => {
      const each = divide(units, invoices);
      return each === undefined ? undefined : `${count(each, 1)} units each`;
    },
  },
  {
    id: "margin",
    title: "Margin",
    meaning: "Revenue less what the goods cost.",
    select: "sum(margin)",
    of: ({ margin }) => margin,
    show: (value, { currency }) => money(value, currency),
    detail: ({ margin, revenue }) => {
      const share = ratio(margin, revenue);
      return share === undefined ? undefined : `${percent(share)} of revenue`;
    },
  },
];

type Props = { hours: LiveRows; hoursBefore: Rows };

export function KeyFigures(props: Props) {
  return KEY_FIGURES.map((figure) => <KeyFigureTile key={figure.id} figure={figure} {...props} />);
}

function KeyFigureTile({ figure, hours, hoursBefore }: Props & { figure: KeyFigure }) {
  const scope = useScope();
  const { shown, isHeld, toggle } = useHeldRows(hours);
  const all = totals(shown.rows);
  const value = figure.of(all);
  const compared = (rows: Rows) => figure.of(totals(rows, scope.hoursCompared));
  return (
    <Tile
      className={styles.figure}
      subject={{
        id: figure.id,
        title: figure.title,
        meaning: figure.meaning,
        view: HOURS,
        query: `select ${figure.select}\nfrom ${HOURS}\n${where(scope)};`,
      }}
      source={shown}
      isEmpty={shown.rows.length === 0}
      empty={<NothingSold />}
      isHeld={isHeld}
      onHold={toggle}
    >
      <Figure
        value={value === undefined ? "–" : figure.show(value, scope)}
        detail={figure.detail(all)}
        change={change(compared(shown.rows), compared(hoursBefore))}
        comparedWith={scope.comparedWith}
        spark={course(figure, byHour(shown.rows), byHour(hoursBefore))}
      />
    </Tile>
  );
}

/** Both days over the same hours, so that they can be laid over each other. */
function course(figure: KeyFigure, now: HourTotals[], before: HourTotals[]) {
  const first = Math.min(now[0]?.hour ?? 24, before[0]?.hour ?? 24);
  const values = (hours: HourTotals[]) => {
    const lead = Array.from({ length: Math.max(0, (hours[0]?.hour ?? first) - first) }, () => 0);
    return hours.length === 0 ? [] : [...lead, ...hours.map((hour) => approximate(figure.of(hour) ?? 0n))];
  };
  return { now: values(now), before: values(before) };
}
