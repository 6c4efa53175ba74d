import { ChartNoAxesColumn, type LucideIcon, TableProperties } from "lucide-react";

export type Room = { path: string; title: string; icon: LucideIcon; keys: string };

/** The rooms there are; the navigation, the search and the shortcuts all read this list. */
export const ROOMS: Room[] = [
  { path: "/sales", title: "Sales", icon: ChartNoAxesColumn, keys: "g s" },
  { path: "/views", title: "Views", icon: TableProperties, keys: "g v" },
];
