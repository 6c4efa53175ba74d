"use client";
import { approximate } from "@/lib/decimal";
import { count, money, percent } from "@/lib/format";
import type { LiveRows } from "@/lib/live/view";
import { basket, type Ranked, ranked, ratio } from "@/lib/sales/figures";
import { useScope } from "@/lib/sales/scope";
import type { Subject } from "@/lib/shell/subject";
import { RankBars } from "../charts/rank-bars";
import { DataTable, type TableColumn } from "../table/data-table";
import { Tile } from "../tile/tile";
import { NothingSold } from "./nothing-sold";
import { useHeldRows } from "./use-held-rows";

type Props = {
  subject: Omit<Subject, "position" | "asOf">;
  live: LiveRows;
  idColumn: string;
  nameColumn: string;
  /** What is ranked, for the table's first column. */
  noun: string;
  /** Bars shown; the table has more. */
  barsMax: number;
  hasInvoices?: boolean;
  className?: string;
  onOpen?: (id: string) => void;
};

/** Rows of the table twin: enough to work with, few enough to paint every second. */
const TABLE_ROWS_MAX = 100;

/** Revenue per shop, category or product, the highest first. */
export function RankTile(props: Props) {
  const { subject, live, idColumn, nameColumn, noun, barsMax, hasInvoices, className, onOpen } = props;
  const { currency } = useScope();
  const { shown, isHeld, toggle } = useHeldRows(live);
  const groups = ranked(shown.rows, idColumn, nameColumn);
  const longest = Math.max(0, ...groups.map(({ revenue }) => approximate(revenue))) || 1;

  const columns: TableColumn<Ranked>[] = [
    { id: "name", title: noun, cell: ({ name }) => name },
    { id: "revenue", title: "Revenue", isNumeric: true, cell: ({ revenue }) => money(revenue, currency) },
    { id: "share", title: "Share", isNumeric: true, cell: ({ share }) => percent(share) },
    { id: "margin", title: "Margin", isNumeric: true, cell: (row) => marginShare(row) },
    { id: "units", title: "Units", isNumeric: true, cell: ({ units }) => count(units, 1) },
  ];
  if (hasInvoices) {
    columns.push(
      { id: "invoices", title: "Invoices", isNumeric: true, cell: ({ invoices }) => count(invoices) },
      { id: "basket", title: "Basket", isNumeric: true, cell: (row) => money(basket(row) ?? 0n, currency) },
    );
  }
  return (
    <Tile
      className={className}
      subject={subject}
      source={shown}
      isEmpty={groups.length === 0}
      empty={<NothingSold />}
      isHeld={isHeld}
      onHold={toggle}
      twin={
        <DataTable
          caption={subject.title}
          rows={groups.slice(0, TABLE_ROWS_MAX)}
          rowKey={({ id }) => id}
          columns={columns}
        />
      }
    >
      <RankBars
        bars={groups.slice(0, barsMax).map(({ id, name, revenue, share }) => ({
          id,
          label: name,
          length: approximate(revenue) / longest,
          value: money(revenue, currency),
          share: percent(share),
          onOpen: onOpen && (() => onOpen(id)),
        }))}
      />
    </Tile>
  );
}

function marginShare({ margin, revenue }: Ranked): string {
  const share = ratio(margin, revenue);
  return share === undefined ? "–" : percent(share);
}
