/**
 * A view kept up to date while somebody looks at it: streamed when a connection is free, else read again every few
 * seconds; resumed where it broke off; told to React at most once a second.
 */

import type { Row } from "../api/json";
import { Problem, unreachable } from "../api/problem";
import { type Filter, readAll, viewPath } from "../api/views";
import { Relation, type StreamEvent } from "./events";
import { takeSlot } from "./slots";
import { follow } from "./stream";

export type Phase = "connecting" | "live" | "stale" | "refused";

export type LiveRows = {
  phase: Phase;
  rows: Row[];
  position: number | undefined;
  /** Commit time of the newest event included, RFC 3339. */
  asOf: string | null;
  problem?: Problem;
};

export const NOTHING_YET: LiveRows = { phase: "connecting", rows: [], position: undefined, asOf: null };

const REPAINT_MS = 1_000;
const READ_AGAIN_MS = 5_000;
/** HTTP 429: the server gives this user no further stream. */
const TOO_MANY = 429;
const BACK_OFF_FIRST_MS = 500;
const BACK_OFF_MAX_MS = 15_000;

export class LiveView {
  private readonly relation = new Relation();
  private readonly listeners = new Set<() => void>();
  private phase: Phase = "connecting";
  private problem?: Problem;
  private shown: LiveRows = NOTHING_YET;
  private paintedAtMs = 0;
  private painting?: ReturnType<typeof setTimeout>;
  private running?: AbortController;
  private failures = 0;

  constructor(
    private readonly name: string,
    private readonly filter: Filter,
  ) {}

  readonly current = (): LiveRows => this.shown;

  /** The first listener opens the connection, the last one closes it. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    if (this.listeners.size === 1) {
      document.addEventListener("visibilitychange", this.onVisibility);
      this.onVisibility();
    }
    return () => {
      this.listeners.delete(listener);
      if (this.listeners.size > 0) return;
      document.removeEventListener("visibilitychange", this.onVisibility);
      this.stop();
    };
  };

  /** A hidden window gives its connection back and resumes from its position when seen again. */
  private readonly onVisibility = (): void => {
    if (document.visibilityState === "hidden") this.stop();
    else if (!this.running) {
      this.running = new AbortController();
      void this.run(this.running.signal);
    }
  };

  private stop(): void {
    this.running?.abort();
    this.running = undefined;
    clearTimeout(this.painting);
    this.painting = undefined;
  }

  private async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const release = await takeSlot();
      let waitMs = READ_AGAIN_MS;
      try {
        if (signal.aborted) return;
        const isStreamed = release !== undefined && (await this.stream(signal));
        if (isStreamed) waitMs = BACK_OFF_FIRST_MS;
        else await this.read(signal);
      } catch (cause) {
        if (signal.aborted) return;
        this.fail(cause);
        if (this.phase === "refused") return;
        waitMs = this.backOffMs();
      } finally {
        release?.();
      }
      await pause(waitMs, signal);
    }
  }

  /** Follows the stream to its end. Returns false when the server has none to spare. */
  private async stream(signal: AbortSignal): Promise<boolean> {
    const path = viewPath(this.name, this.filter, "/stream");
    const onEvent = (event: StreamEvent, id: string | undefined) => {
      this.relation.apply(event, id);
      this.hear(event.event === "reset" ? "connecting" : "live", event.event === "snapshot");
    };
    try {
      await follow(path, this.relation.resumeAt, onEvent, signal);
      return true;
    } catch (cause) {
      if (cause instanceof Problem && cause.status === TOO_MANY) return false;
      throw cause;
    }
  }

  private async read(signal: AbortSignal): Promise<void> {
    const page = await readAll(this.name, this.filter, signal);
    this.relation.replace(page.rows, page.position, page.as_of ?? null);
    this.hear("live", true);
  }

  private hear(phase: Phase, atOnce: boolean): void {
    const isNewPhase = this.phase !== phase;
    this.failures = 0;
    this.problem = undefined;
    this.phase = phase;
    this.paint(atOnce || isNewPhase);
  }

  private fail(cause: unknown): void {
    this.failures += 1;
    this.problem = cause instanceof Problem ? cause : unreachable(cause);
    this.phase = this.problem.isRefusal
      ? "refused"
      : this.relation.position === undefined
        ? "connecting"
        : "stale";
    this.paint(true);
  }

  private backOffMs(): number {
    const longest = Math.min(BACK_OFF_MAX_MS, BACK_OFF_FIRST_MS * 2 ** Math.max(0, this.failures - 1));
    return longest * (0.5 + Math.random() / 2);
  }

  private paint(atOnce: boolean): void {
    const waitMs = atOnce ? 0 : this.paintedAtMs + REPAINT_MS - Date.now();
    if (waitMs > 0) {
      this.painting ??= setTimeout(() => this.paint(true), waitMs);
      return;
    }
    clearTimeout(this.painting);
    this.painting = undefined;
    this.paintedAtMs = Date.now();
    this.shown = {
      phase: this.phase,
      rows: this.relation.rows(),
      position: this.relation.position,
      asOf: this.relation.asOf,
      problem: this.problem,
    };
    for (const listener of this.listeners) listener();
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
  });
}
