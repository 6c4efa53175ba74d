import type { Metadata } from "next";
import { ViewsRoom } from "@/components/views/views-room";

export const metadata: Metadata = { title: "Views" };

export default function ViewsPage() {
  return <ViewsRoom />;
}
