"use client";
/** What the whole shell knows: the views, the shops and the state of the system, read once for all who ask. */
import { createContext, type ReactNode, use, useMemo } from "react";
import { listShops, type Shop } from "../api/shops";
import { readStatus, type Status } from "../api/status";
import { listViews, type View } from "../api/views";
import { type Polled, usePoll } from "../live/use-poll";

type Catalogue = { views: Polled<View[]>; shops: Polled<Shop[]>; status: Polled<Status> };

const STATUS_EVERY_MS = 2_000;
const MASTERS_EVERY_MS = 60_000;

const Context = createContext<Catalogue | undefined>(undefined);

export function CatalogueProvider({ children }: { children: ReactNode }) {
  const views = usePoll("views", listViews, MASTERS_EVERY_MS);
  const shops = usePoll("shops", listShops, MASTERS_EVERY_MS);
  const status = usePoll("status", readStatus, STATUS_EVERY_MS);
  const value = useMemo(() => ({ views, shops, status }), [views, shops, status]);
  return <Context value={value}>{children}</Context>;
}

export function useCatalogue(): Catalogue {
  const context = use(Context);
  if (!context) throw new Error("useCatalogue is used outside the shell");
  return context;
}
