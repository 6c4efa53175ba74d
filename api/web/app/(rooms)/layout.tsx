import { type ReactNode, Suspense } from "react";
import { Shell } from "@/components/shell/shell";

export default function RoomsLayout({ children }: { children: ReactNode }) {
  return (
    <Suspense>
      <Shell>{children}</Shell>
    </Suspense>
  );
}
