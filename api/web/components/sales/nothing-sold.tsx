"use client";
import { useScope } from "@/lib/sales/scope";
import { useSetParams } from "@/lib/shell/address";
import { Empty } from "../empty";
import styles from "./nothing-sold.module.css";

/** An empty tile: nothing at all on this day, or nothing that matches the chosen shop. */
export function NothingSold() {
  const { shop } = useScope();
  const setParams = useSetParams();
  if (!shop) {
    return (
      <Empty kind="no-data" title="Nothing sold on this day">
        <button type="button" className={styles.next} onClick={() => setParams({ day: undefined })}>
          Go to the newest day
        </button>
      </Empty>
    );
  }
  return (
    <Empty kind="no-match" title="Nothing sold in this shop on this day">
      <button type="button" className={styles.next} onClick={() => setParams({ shop: undefined })}>
        Show all shops
      </button>
    </Empty>
  );
}
