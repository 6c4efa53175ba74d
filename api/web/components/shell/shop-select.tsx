"use client";
import { ChevronDown, Store } from "lucide-react";
import { useShopParam } from "@/lib/shell/address";
import { useCatalogue } from "@/lib/shell/catalogue";
import styles from "./shop-select.module.css";

/** Which shop's numbers the room shows; kept in the address, so that a link shows the same. */
export function ShopSelect() {
  const { shops } = useCatalogue();
  const [shop, setShop] = useShopParam();
  return (
    <label className={styles.select}>
      <Store size={15} aria-hidden="true" />
      <span className="visually-hidden">Shop</span>
      <select value={shop ?? ""} onChange={(event) => setShop(event.target.value || undefined)}>
        <option value="">All shops</option>
        {shops.value?.map(({ shop_id, name }) => (
          <option key={shop_id} value={shop_id}>
            {name}
          </option>
        ))}
      </select>
      <ChevronDown size={14} aria-hidden="true" className={styles.arrow} />
    </label>
  );
}
