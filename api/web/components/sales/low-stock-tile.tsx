"use client";
import Link from "next/link";
import { decimal } from "@/lib/decimal";
import { count } from "@/lib/format";
import type { LiveRows } from "@/lib/live/view";
import { quoted, useScope } from "@/lib/sales/scope";
import { LOW_STOCK } from "@/lib/sales/use-sales";
import { rowsAddress } from "@/lib/shell/address";
import { useCatalogue } from "@/lib/shell/catalogue";
import { Empty } from "../empty";
import { DataTable } from "../table/data-table";
import { Tile } from "../tile/tile";
import styles from "./sales-room.module.css";
import { useHeldRows } from "./use-held-rows";

export function LowStockTile({ stock }: { stock: LiveRows & { total: number } }) {
  const { shop } = useScope();
  const { shops } = useCatalogue();
  const { shown, isHeld, toggle } = useHeldRows(stock);
  const shopName = (id: unknown) => shops.value?.find(({ shop_id }) => shop_id === id)?.name ?? "";
  return (
    <Tile
      className={styles.wide}
      subject={{
        id: "low-stock",
        title: shown.total > 0 ? `Low stock: ${count(shown.total)}` : "Low stock",
        meaning: "Products at or below their reorder level, now; the day above doesn't matter here.",
        view: LOW_STOCK,
        query: `select product_name, on_hand, reorder_level\nfrom ${LOW_STOCK}\n${shop ? `where shop_id = '${quoted(shop)}'\n` : ""}order by on_hand;`,
      }}
      source={shown}
      isEmpty={shown.rows.length === 0}
      empty={<Empty kind="no-data" title="Nothing is running out" />}
      isHeld={isHeld}
      onHold={toggle}
    >
      <DataTable
        caption="Low stock"
        rows={shown.rows}
        rowKey={(row) => `${row.shop_id} ${row.product_id}`}
        columns={[
          { id: "product", title: "Product", cell: (row) => row.product_name },
          ...(shop
            ? []
            : [
                { id: "shop", title: "Shop", cell: (row: LiveRows["rows"][number]) => shopName(row.shop_id) },
              ]),
          { id: "on_hand", title: "On hand", isNumeric: true, cell: (row) => count(decimal(row.on_hand), 3) },
          {
            id: "level",
            title: "Reorder at",
            isNumeric: true,
            cell: (row) => count(decimal(row.reorder_level), 3),
          },
        ]}
      />
      {shown.total > shown.rows.length && (
        <p>
          <Link href={shop ? rowsAddress(LOW_STOCK, "shop_id", shop) : rowsAddress(LOW_STOCK)}>
            All {count(shown.total)}
          </Link>
        </p>
      )}
    </Tile>
  );
}
