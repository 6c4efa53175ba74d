"use client";
import { Check, Copy } from "lucide-react";
import { useState } from "react";
import styles from "./sql-text.module.css";

const COPIED_MS = 1_500;

/** SQL to read and to take along. */
export function SqlText({ title, sql }: { title: string; sql: string }) {
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(sql);
    setCopied(true);
    setTimeout(() => setCopied(false), COPIED_MS);
  };
  return (
    <section className={styles.sql} aria-label={title}>
      <div className={styles.head}>
        <h4>{title}</h4>
        <button type="button" onClick={() => void copy()}>
          {isCopied ? <Check size={13} aria-hidden="true" /> : <Copy size={13} aria-hidden="true" />}
          <span aria-live="polite">{isCopied ? "Copied" : "Copy"}</span>
        </button>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: long lines are scrolled with the keyboard */}
      <pre tabIndex={0}>{sql.trim()}</pre>
    </section>
  );
}
