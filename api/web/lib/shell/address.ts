"use client";
/** Filters live in the address: what is seen can be linked to, and Back undoes a filter. */
import { usePathname, useRouter, useSearchParams } from "next/navigation";
import { useCallback } from "react";

export type Params = Record<string, string | undefined>;

/** Sets or removes query parameters of the present page. */
export function useSetParams(): (changes: Params) => void {
  const router = useRouter();
  const pathname = usePathname();
  const params = useSearchParams();
  return useCallback(
    (changes) => {
      const next = new URLSearchParams(params);
      for (const [name, value] of Object.entries(changes)) {
        if (value) next.set(name, value);
        else next.delete(name);
      }
      const query = next.toString();
      router.push(query ? `${pathname}?${query}` : pathname, { scroll: false });
    },
    [router, pathname, params],
  );
}

/** The address of a view's rows, of those with one value or of all. */
export function rowsAddress(view: string, column?: string, equals?: string): string {
  const query = new URLSearchParams({ name: view, ...(column && equals && { column, equals }) });
  return `/views?${query}`;
}

/** The shop's id, or `undefined` for all shops. */
export function useShopParam(): [string | undefined, (shop: string | undefined) => void] {
  const shop = useSearchParams().get("shop") ?? undefined;
  const setParams = useSetParams();
  const setShop = useCallback((next: string | undefined) => setParams({ shop: next }), [setParams]);
  return [shop, setShop];
}
