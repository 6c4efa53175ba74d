"use client";
import { approximate } from "@/lib/decimal";
import { count, day as dayText, hour as hourText, money, moneyShort } from "@/lib/format";
import type { LiveRows } from "@/lib/live/view";
import { byHour, type HourTotals } from "@/lib/sales/figures";
import { useScope, where } from "@/lib/sales/scope";
import { HOURS } from "@/lib/sales/use-sales";
import { HourBars } from "../charts/hour-bars";
import { DataTable } from "../table/data-table";
import { Tile } from "../tile/tile";
import { NothingSold } from "./nothing-sold";
import styles from "./sales-room.module.css";
import { useHeldRows } from "./use-held-rows";

type Hour = { hour: number; now?: HourTotals; before?: HourTotals };

function merge(now: HourTotals[], before: HourTotals[]): Hour[] {
  const hours = new Map<number, Hour>();
  for (const entry of before) hours.set(entry.hour, { hour: entry.hour, before: entry });
  for (const entry of now) hours.set(entry.hour, { ...hours.get(entry.hour), hour: entry.hour, now: entry });
  return [...hours.values()].sort((a, b) => a.hour - b.hour);
}

export function HourTile({ hours, hoursBefore }: { hours: LiveRows; hoursBefore: LiveRows["rows"] }) {
  const scope = useScope();
  const { day, dayBefore, currency } = scope;
  const { shown, isHeld, toggle } = useHeldRows(hours);
  const now = byHour(shown.rows);
  const merged = merge(now, byHour(hoursBefore));
  const best = now.reduce<HourTotals | undefined>((a, b) => (a && a.revenue >= b.revenue ? a : b), undefined);
  const exact = (entry: HourTotals | undefined) => entry && money(entry.revenue, currency);
  return (
    <Tile
      className={styles.wide}
      subject={{
        id: "hours",
        title: "Revenue by hour",
        meaning: "Revenue of each hour of the business day, beside the same weekday a week before.",
        view: HOURS,
        query: `select business_hour, sum(revenue) as revenue\nfrom ${HOURS}\n${where(scope)}\ngroup by business_hour\norder by business_hour;`,
      }}
      source={shown}
      isEmpty={shown.rows.length === 0}
      empty={<NothingSold />}
      isHeld={isHeld}
      onHold={toggle}
      twin={
        <DataTable
          caption="Revenue by hour"
          rows={merged}
          rowKey={({ hour }) => String(hour)}
          columns={[
            { id: "hour", title: "Hour", cell: ({ hour }) => hourText(hour) },
            { id: "now", title: dayText(day), isNumeric: true, cell: (row) => exact(row.now) ?? "–" },
            {
              id: "before",
              title: dayText(dayBefore),
              isNumeric: true,
              cell: (row) => exact(row.before) ?? "–",
            },
            {
              id: "invoices",
              title: "Invoices",
              isNumeric: true,
              cell: ({ now }) => (now ? count(now.invoices) : "–"),
            },
            {
              id: "margin",
              title: "Margin",
              isNumeric: true,
              cell: ({ now }) => (now ? money(now.margin, currency) : "–"),
            },
          ]}
        />
      }
    >
      <HourBars
        summary={`Revenue by hour on ${dayText(day, "long")}. ${best ? `Highest: ${exact(best)} from ${hourText(best.hour)}.` : ""} The table has every hour.`}
        nowName={dayText(day)}
        beforeName={hoursBefore.length > 0 ? dayText(dayBefore) : undefined}
        formatTick={(value) => moneyShort(value, currency)}
        bars={merged.map(({ hour, now, before }) => ({
          hour,
          label: hourText(hour),
          now: now && approximate(now.revenue),
          before: before && approximate(before.revenue),
          nowText: exact(now),
          beforeText: exact(before),
        }))}
      />
    </Tile>
  );
}
