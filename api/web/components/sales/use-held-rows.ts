import type { LiveRows } from "@/lib/live/view";
import { useScope } from "@/lib/sales/scope";
import { useHeld } from "../tile/use-held";

/** Rows that stand still while paused, until another day or shop is chosen. */
export function useHeldRows<L extends LiveRows>(live: L) {
  const { day, shop } = useScope();
  return useHeld(live, `${day} ${shop ?? ""}`, live.position !== undefined);
}
