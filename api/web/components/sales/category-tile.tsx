"use client";
import { useRouter } from "next/navigation";
import type { LiveRows } from "@/lib/live/view";
import { useScope, where } from "@/lib/sales/scope";
import { CATEGORIES } from "@/lib/sales/use-sales";
import { rowsAddress } from "@/lib/shell/address";
import { RankTile } from "./rank-tile";
import styles from "./sales-room.module.css";

export function CategoryTile({ categories }: { categories: LiveRows }) {
  const scope = useScope();
  const router = useRouter();
  return (
    <RankTile
      className={styles.half}
      subject={{
        id: "categories",
        title: "By category",
        meaning: "Revenue of each category of products.",
        view: CATEGORIES,
        query: `select category_name, sum(revenue) as revenue\nfrom ${CATEGORIES}\n${where(scope)}\ngroup by category_name\norder by revenue desc;`,
      }}
      live={categories}
      idColumn="category_id"
      nameColumn="category_name"
      noun="Category"
      barsMax={8}
      onOpen={(id) => router.push(rowsAddress(CATEGORIES, "category_id", id))}
    />
  );
}
