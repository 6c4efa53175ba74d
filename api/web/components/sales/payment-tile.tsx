"use client";
import { count, money, percent } from "@/lib/format";
import type { LiveRows } from "@/lib/live/view";
import { paymentMix } from "@/lib/sales/figures";
import { useScope, where } from "@/lib/sales/scope";
import { PAYMENTS } from "@/lib/sales/use-sales";
import { MixBar } from "../charts/mix-bar";
import { DataTable } from "../table/data-table";
import { Tile } from "../tile/tile";
import { NothingSold } from "./nothing-sold";
import styles from "./sales-room.module.css";
import { useHeldRows } from "./use-held-rows";

export function PaymentTile({ payments }: { payments: LiveRows }) {
  const scope = useScope();
  const { currency } = scope;
  const { shown, isHeld, toggle } = useHeldRows(payments);
  const mix = paymentMix(shown.rows);
  return (
    <Tile
      className={styles.third}
      subject={{
        id: "payments",
        title: "Payment mix",
        meaning: "What was paid by each means, tax included.",
        view: PAYMENTS,
        query: `select tender, sum(amount) as amount, sum(count) as payments\nfrom ${PAYMENTS}\n${where(scope)}\ngroup by tender\norder by amount desc;`,
      }}
      source={shown}
      isEmpty={mix.length === 0}
      empty={<NothingSold />}
      isHeld={isHeld}
      onHold={toggle}
      twin={
        <DataTable
          caption="Payment mix"
          rows={mix}
          rowKey={({ tender }) => tender}
          columns={[
            { id: "tender", title: "Paid by", cell: ({ tender }) => tender },
            { id: "amount", title: "Amount", isNumeric: true, cell: ({ amount }) => money(amount, currency) },
            { id: "share", title: "Share", isNumeric: true, cell: ({ share }) => percent(share) },
            { id: "count", title: "Payments", isNumeric: true, cell: (row) => count(row.count) },
          ]}
        />
      }
    >
      <MixBar
        parts={mix.map(({ tender, amount, share }) => ({
          id: tender,
          label: tender.replaceAll("_", " "),
          share,
          value: money(amount, currency),
          shareText: percent(share),
        }))}
      />
    </Tile>
  );
}
