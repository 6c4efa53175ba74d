import type { Metadata } from "next";
import { SalesRoom } from "@/components/sales/sales-room";

export const metadata: Metadata = { title: "Sales" };

export default function SalesPage() {
  return <SalesRoom />;
}
