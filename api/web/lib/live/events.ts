/**
 * What a view's stream says, and what each message does to the rows held. Pure: no connection, no clock.
 *
 * `snapshot` replaces everything; `change` upserts and deletes by the view's key; `heartbeat` moves the position on;
 * `reset` drops the rows until the next snapshot.
 */
import { parseExact, type Row } from "../api/json";

export type StreamEvent =
  | { event: "snapshot"; position: number; as_of: string | null; key: string[]; rows: Row[] }
  | { event: "change"; position: number; as_of: string | null; upserts: Row[]; deletes: Row[] }
  | { event: "heartbeat"; position: number; as_of: string | null; server_time: string }
  | { event: "reset"; reason: string };

const EVENTS: ReadonlySet<string> = new Set(["snapshot", "change", "heartbeat", "reset"]);

/** The rows of one view under one filter, at one position. Changed in place: streams are long, snapshots large. */
export class Relation {
  private key: string[] = [];
  private readonly byKey = new Map<string, Row>();
  private listed: Row[] = [];
  private isListed = true;
  position: number | undefined;
  asOf: string | null = null;
  /** The id of the event a stream may go on from; `undefined` when it must begin with a snapshot. */
  resumeAt: string | undefined;

  /** The same array until a row changes, so that what is derived from it can be kept. */
  rows(): Row[] {
    if (!this.isListed) {
      this.listed = [...this.byKey.values()];
      this.isListed = true;
    }
    return this.listed;
  }

  /** Takes rows that were read whole, outside any stream. */
  replace(rows: Row[], position: number, asOf: string | null): void {
    this.clear();
    for (const [index, row] of rows.entries()) this.byKey.set(String(index), row);
    this.position = position;
    this.asOf = asOf;
  }

  apply(message: StreamEvent, id: string | undefined): void {
    if (message.event === "reset") {
      this.clear();
      return;
    }
    if (message.event === "snapshot") {
      this.clear();
      this.key = message.key;
      this.put(message.rows);
    } else if (message.event === "change") {
      for (const row of message.deletes) this.byKey.delete(this.keyOf(row));
      this.put(message.upserts);
    }
    this.position = message.position;
    this.resumeAt = id;
    this.asOf = message.as_of ?? this.asOf;
  }

  private clear(): void {
    this.byKey.clear();
    this.isListed = false;
    this.position = undefined;
    this.asOf = null;
    this.resumeAt = undefined;
  }

  private put(rows: Row[]): void {
    for (const row of rows) this.byKey.set(this.keyOf(row), row);
    this.isListed = false;
  }

  private keyOf(row: Row): string {
    return JSON.stringify(this.key.map((column) => row[column]));
  }
}

/** One server-sent message as a typed event; `undefined` for kinds this client doesn't know. */
export function decode(event: string | undefined, data: string): StreamEvent | undefined {
  if (!event || !EVENTS.has(event)) return undefined;
  return { event, ...(parseExact(data) as object) } as StreamEvent;
}
