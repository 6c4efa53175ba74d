"use client";
import { X } from "lucide-react";
import Link from "next/link";
import type { ReactNode } from "react";
import { clock, count } from "@/lib/format";
import { rowsAddress } from "@/lib/shell/address";
import { useCatalogue } from "@/lib/shell/catalogue";
import { useSubject } from "@/lib/shell/subject";
import { Empty } from "../empty";
import { SqlText } from "../sql-text";
import styles from "./detail-panel.module.css";

/** Everything that is known about the chosen number: where it comes from and how to get it oneself. */
export function DetailPanel({ onClose, children }: { onClose: () => void; children: ReactNode }) {
  const { subject } = useSubject();
  const { views } = useCatalogue();
  const view = views.value?.find(({ name }) => name === subject?.view);
  return (
    <aside className={styles.panel} aria-label="About this number">
      <div className={styles.head}>
        <h2>About this number</h2>
        <button type="button" aria-label="Close the details" onClick={onClose}>
          <X size={15} aria-hidden="true" />
        </button>
      </div>
      {!subject && (
        <Empty kind="no-data" title="Nothing chosen">
          Choose SQL on a tile to see where its number comes from.
        </Empty>
      )}
      {subject && (
        <div className={styles.body}>
          <div>
            <h3>{subject.title}</h3>
            <p className={styles.meaning}>{subject.meaning}</p>
          </div>
          <dl className={styles.facts}>
            <dt>View</dt>
            <dd>
              <Link href={rowsAddress(subject.view)}>{subject.view}</Link>
            </dd>
            {view && (
              <>
                <dt>Grain</dt>
                <dd>{view.grain}</dd>
                <dt>Key</dt>
                <dd>{view.key.join(", ")}</dd>
                <dt>Rows</dt>
                <dd>{typeof view.rows === "number" ? count(view.rows) : "not known"}</dd>
              </>
            )}
            <dt>Position</dt>
            <dd>{subject.position === undefined ? "not known yet" : count(subject.position)}</dd>
            <dt>As of</dt>
            <dd>
              {subject.asOf ? <time dateTime={subject.asOf}>{clock(subject.asOf)}</time> : "not known yet"}
            </dd>
          </dl>
          {subject.query && <SqlText title="The same number in SQL" sql={subject.query} />}
          {view && <SqlText title="How the view is made" sql={view.sql} />}
        </div>
      )}
      {children}
    </aside>
  );
}
