import Link from "next/link";
import { Empty } from "@/components/empty";

export default function NotFound() {
  return (
    <main style={{ display: "grid", minHeight: "100dvh", placeItems: "center" }}>
      <Empty kind="no-match" title="There is no such page">
        <Link href="/sales">Go to Sales</Link>
      </Empty>
    </main>
  );
}
