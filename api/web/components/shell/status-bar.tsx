"use client";
import { useUnsent } from "@/lib/api/request";
import { count, duration } from "@/lib/format";
import { useCatalogue } from "@/lib/shell/catalogue";
import styles from "./status-bar.module.css";

/** Above this age of unshown events the views are called behind. */
const FRESH_MAX_MS = 5_000;

type LiveState = { name: "live" | "behind" | "offline" | "connecting"; label: string };

export function StatusBar() {
  const { status } = useCatalogue();
  const unsent = useUnsent();
  const { value, problem } = status;
  const freshnessMs = value?.freshness_ms ?? undefined;
  const eventsBehind = value?.lag_events ?? 0;
  const live = liveState(value !== undefined, problem !== undefined, freshnessMs);
  return (
    <footer className={styles.bar}>
      <span className={styles.item} data-state={live.name}>
        <span className={styles.dot} aria-hidden="true" />
        <span role="status">{live.label}</span>
      </span>
      {value && (
        <>
          <span
            className={styles.item}
            title="Age of the newest committed event that the views don't show yet"
          >
            <span className={styles.label}>Freshness</span>
            <span data-testid="freshness">
              {freshnessMs === undefined ? "not measured yet" : duration(freshnessMs)}
            </span>
          </span>
          <span className={styles.item} title="Position of the newest event in the views">
            <span className={styles.label}>Position</span>
            <span data-testid="position">{count(value.position)}</span>
            {eventsBehind > 0 && <span className={styles.label}>{count(eventsBehind)} to come</span>}
          </span>
        </>
      )}
      <span className={styles.spacer} />
      <span className={styles.item} title="Writes on their way to the server, not acknowledged yet">
        {unsent === 0 ? "All work sent" : `${count(unsent)} unsent`}
      </span>
      {value && (
        <span className={styles.item} data-testid="environment">
          {value.environment} · {value.version}
        </span>
      )}
    </footer>
  );
}

function liveState(isKnown: boolean, isFailing: boolean, freshnessMs: number | undefined): LiveState {
  if (isFailing) return { name: "offline", label: "Offline: trying again" };
  if (!isKnown) return { name: "connecting", label: "Connecting" };
  if (freshnessMs !== undefined && freshnessMs > FRESH_MAX_MS) return { name: "behind", label: "Behind" };
  return { name: "live", label: "Live" };
}
