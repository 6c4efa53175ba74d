"use client";
import type { LiveRows } from "@/lib/live/view";
import { useScope, where } from "@/lib/sales/scope";
import { HOURS } from "@/lib/sales/use-sales";
import { RankTile } from "./rank-tile";
import styles from "./sales-room.module.css";

export function ShopTile({ hours }: { hours: LiveRows }) {
  const scope = useScope();
  return (
    <RankTile
      className={styles.third}
      subject={{
        id: "shops",
        title: "By shop",
        meaning: "Revenue of each shop. A shop's name opens its own numbers.",
        view: HOURS,
        query: `select shop_name, sum(revenue) as revenue\nfrom ${HOURS}\n${where(scope)}\ngroup by shop_name\norder by revenue desc;`,
      }}
      live={hours}
      idColumn="shop_id"
      nameColumn="shop_name"
      noun="Shop"
      barsMax={8}
      hasInvoices
      onOpen={scope.shop ? undefined : scope.openShop}
    />
  );
}
