"use client";
import { ChartNoAxesColumn, Code, Pause, Play, Table2 } from "lucide-react";
import { type ReactNode, useId, useState } from "react";
import { clock } from "@/lib/format";
import type { LiveRows } from "@/lib/live/view";
import { type Subject, useOffered } from "@/lib/shell/subject";
import { Empty } from "../empty";
import styles from "./tile.module.css";

export type TileSource = Pick<LiveRows, "phase" | "position" | "asOf" | "problem">;

type Props = {
  subject: Omit<Subject, "position" | "asOf">;
  source: TileSource;
  isEmpty: boolean;
  /** Shown instead of the content when there is none. */
  empty: ReactNode;
  /** The same figures as a table, where the content is a chart. */
  twin?: ReactNode;
  isHeld: boolean;
  onHold: () => void;
  className?: string;
  children: ReactNode;
};

/** A figure or chart with what every one of them has: as of, pause, table, SQL. */
export function Tile({ subject, source, isEmpty, empty, twin, isHeld, onHold, className, children }: Props) {
  const [isTable, setTable] = useState(false);
  const { isChosen, choose } = useOffered({ ...subject, position: source.position, asOf: source.asOf });
  const titleId = useId();
  const isWaiting = source.position === undefined;
  return (
    <section
      className={`${styles.tile} ${className ?? ""}`}
      aria-labelledby={titleId}
      aria-busy={isWaiting && source.phase === "connecting"}
      data-tile={subject.id}
      data-position={source.position}
      data-chosen={isChosen}
    >
      <div className={styles.head}>
        <h2 id={titleId}>{subject.title}</h2>
        <div className={styles.tools}>
          {twin && (
            <button
              type="button"
              aria-label={isTable ? `${subject.title} as a chart` : `${subject.title} as a table`}
              title={isTable ? "Show the chart" : "Show as a table"}
              onClick={() => setTable(!isTable)}
            >
              {isTable ? (
                <ChartNoAxesColumn size={14} aria-hidden="true" />
              ) : (
                <Table2 size={14} aria-hidden="true" />
              )}
            </button>
          )}
          <button
            type="button"
            aria-label={isHeld ? `Resume ${subject.title}` : `Pause ${subject.title}`}
            title={isHeld ? "Resume" : "Pause"}
            onClick={onHold}
          >
            {isHeld ? <Play size={14} aria-hidden="true" /> : <Pause size={14} aria-hidden="true" />}
          </button>
          <button type="button" aria-label={`Show SQL of ${subject.title}`} title="Show SQL" onClick={choose}>
            <Code size={14} aria-hidden="true" />
          </button>
        </div>
      </div>
      <Content source={source} isEmpty={isEmpty} empty={empty}>
        {isTable ? <div className={styles.twin}>{twin}</div> : children}
      </Content>
      <AsOf source={source} isHeld={isHeld} />
    </section>
  );
}

type ContentProps = { source: TileSource; isEmpty: boolean; empty: ReactNode; children: ReactNode };

function Content({ source, isEmpty, empty, children }: ContentProps) {
  const { phase, position, problem } = source;
  if (phase === "refused" && problem?.status === 404) {
    return (
      <Empty kind="no-data" title="This view isn't there">
        The running system doesn't keep it. The Views room lists those it does.
      </Empty>
    );
  }
  if (phase === "refused" && problem?.status === 400) {
    return (
      <Empty kind="no-match" title="The address asks for what can't be">
        {problem.message}
      </Empty>
    );
  }
  if (phase === "refused") {
    return (
      <Empty kind="not-allowed" title="You may not see this">
        {problem?.message} Ask whoever manages access to Millrace.
      </Empty>
    );
  }
  if (position === undefined && problem) {
    return (
      <Empty kind="failed" title="Not reachable">
        {problem.message} Trying again.
      </Empty>
    );
  }
  if (position === undefined) return <div className={styles.skeleton} />;
  if (isEmpty && phase === "stale") {
    return (
      <Empty kind="stale" title="Nothing when last heard">
        The connection is lost; it is being made again.
      </Empty>
    );
  }
  return isEmpty ? empty : children;
}

function AsOf({ source: { phase, asOf }, isHeld }: { source: TileSource; isHeld: boolean }) {
  const state = isHeld ? "Paused" : phase === "stale" ? "Stale: connecting again" : undefined;
  return (
    <p className={styles.asOf}>
      {asOf ? (
        <span>
          as of <time dateTime={asOf}>{clock(asOf)}</time>
        </span>
      ) : (
        <span />
      )}
      {state && (
        <span className={styles.state} data-stale={phase === "stale"}>
          {state}
        </span>
      )}
    </p>
  );
}
