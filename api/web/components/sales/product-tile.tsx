"use client";
import { useRouter } from "next/navigation";
import type { LiveRows } from "@/lib/live/view";
import { useScope, where } from "@/lib/sales/scope";
import { PRODUCTS } from "@/lib/sales/use-sales";
import { rowsAddress } from "@/lib/shell/address";
import { RankTile } from "./rank-tile";
import styles from "./sales-room.module.css";

export function ProductTile({ products }: { products: LiveRows }) {
  const scope = useScope();
  const router = useRouter();
  return (
    <RankTile
      className={styles.half}
      subject={{
        id: "products",
        title: "Top products",
        meaning: "The products with the highest revenue.",
        view: PRODUCTS,
        query: `select product_name, sum(revenue) as revenue, sum(units) as units\nfrom ${PRODUCTS}\n${where(scope)}\ngroup by product_name\norder by revenue desc\nlimit 8;`,
      }}
      live={products}
      idColumn="product_id"
      nameColumn="product_name"
      noun="Product"
      barsMax={8}
      onOpen={(id) => router.push(rowsAddress(PRODUCTS, "product_id", id))}
    />
  );
}
