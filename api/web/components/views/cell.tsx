"use client";
import type { Value } from "@/lib/api/json";
import type { Column } from "@/lib/api/views";
import { decimal } from "@/lib/decimal";
import { number } from "@/lib/format";
import { useSetParams } from "@/lib/shell/address";
import styles from "./views-room.module.css";

const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** Ids begin with the time they were made at, so it is their ends that differ. */
const ID_END = 8;

export function isNumeric({ type }: Column): boolean {
  return /^(integer|decimal|float)/.test(type);
}

/** Digits after the point: 2 for "decimal(18,2)". */
function places({ type }: Column): number {
  return Number(/^decimal\(\d+,(\d+)\)$/.exec(type)?.[1] ?? 0);
}

/** One value, as its column's type asks for; an id filters by itself. */
export function Cell({ value, column }: { value: Value | undefined; column: Column }) {
  const setParams = useSetParams();
  if (value === null || value === undefined) return "–";
  if (isNumeric(column)) return number(decimal(value), places(column));
  const text = String(value);
  if (!ID.test(text)) return text;
  return (
    <button
      type="button"
      className={styles.id}
      title={text}
      aria-label={`Filter by ${column.name} ${text}`}
      onClick={() => setParams({ column: column.name, equals: text, page: undefined })}
    >
      …{text.slice(-ID_END)}
    </button>
  );
}
