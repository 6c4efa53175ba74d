"use client";
import { useRouter } from "next/navigation";
import { useMemo } from "react";
import { rowsAddress } from "./address";
import { useCatalogue } from "./catalogue";
import { ROOMS } from "./rooms";

export type Destination = {
  id: string;
  group: "Rooms" | "Shops" | "Views";
  label: string;
  hint?: string;
  go: () => void;
};

/** Everywhere one can go: what the search and the palette look through. */
export function useDestinations(): Destination[] {
  const router = useRouter();
  const { views, shops } = useCatalogue();
  return useMemo(() => {
    const rooms = ROOMS.map(
      ({ path, title }): Destination => ({
        id: path,
        group: "Rooms",
        label: title,
        go: () => router.push(path),
      }),
    );
    const ofShops = (shops.value ?? []).map(
      ({ shop_id, name }): Destination => ({
        id: shop_id,
        group: "Shops",
        label: name,
        hint: "Sales",
        go: () => router.push(`/sales?shop=${encodeURIComponent(shop_id)}`),
      }),
    );
    const ofViews = (views.value ?? []).map(
      ({ name, title }): Destination => ({
        id: name,
        group: "Views",
        label: title,
        hint: name,
        go: () => router.push(rowsAddress(name)),
      }),
    );
    return [...rooms, ...ofShops, ...ofViews];
  }, [router, views.value, shops.value]);
}
