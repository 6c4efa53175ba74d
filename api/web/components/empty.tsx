import { CircleSlash, Clock, Inbox, Lock, SearchX } from "lucide-react";
import type { ReactNode } from "react";
import styles from "./empty.module.css";

/** Why there is nothing to show; each has its own sign and words, so that nobody waits for what can't come. */
export type EmptyKind = "no-data" | "no-match" | "not-allowed" | "stale" | "failed";

const ICONS = {
  "no-data": Inbox,
  "no-match": SearchX,
  "not-allowed": Lock,
  stale: Clock,
  failed: CircleSlash,
};

type Props = { kind: EmptyKind; title: string; children?: ReactNode };

export function Empty({ kind, title, children }: Props) {
  const Icon = ICONS[kind];
  return (
    <div className={styles.empty} data-empty={kind}>
      <Icon size={18} aria-hidden="true" />
      <p className={styles.title}>{title}</p>
      {children && <div className={styles.next}>{children}</div>}
    </div>
  );
}
