import type { KeyboardEvent, PointerEvent } from "react";
import styles from "./resizer.module.css";

type Props = {
  label: string;
  /** The side of the window the panel hangs on. */
  side: "left" | "right";
  /** Pixels. */
  size: number;
  range: { least: number; most: number; initial: number };
  onResize: (size: number) => void;
};

const STEP_PX = 16;

/** A border to drag, or to move with the arrow keys; double click gives the first width back. */
export function Resizer({ label, side, size, range, onResize }: Props) {
  const set = (next: number) => onResize(Math.round(Math.min(range.most, Math.max(range.least, next))));

  const onPointerDown = (event: PointerEvent<HTMLDivElement>) => {
    event.preventDefault();
    const handle = event.currentTarget;
    handle.setPointerCapture(event.pointerId);
    const onMove = (move: globalThis.PointerEvent) =>
      set(side === "left" ? move.clientX : window.innerWidth - move.clientX);
    const onEnd = () => {
      handle.removeEventListener("pointermove", onMove);
      handle.removeEventListener("lostpointercapture", onEnd);
    };
    handle.addEventListener("pointermove", onMove);
    handle.addEventListener("lostpointercapture", onEnd);
  };

  const onKeyDown = (event: KeyboardEvent) => {
    const grow = side === "left" ? "ArrowRight" : "ArrowLeft";
    const shrink = side === "left" ? "ArrowLeft" : "ArrowRight";
    const next = { [grow]: size + STEP_PX, [shrink]: size - STEP_PX, Home: range.least, End: range.most }[
      event.key
    ];
    if (next === undefined) return;
    event.preventDefault();
    set(next);
  };

  return (
    // biome-ignore lint/a11y/useSemanticElements: <hr> can't be focused and moved
    <div
      role="separator"
      tabIndex={0}
      aria-orientation="vertical"
      aria-label={label}
      aria-valuenow={size}
      aria-valuemin={range.least}
      aria-valuemax={range.most}
      className={styles.resizer}
      data-side={side}
      onPointerDown={onPointerDown}
      onKeyDown={onKeyDown}
      onDoubleClick={() => set(range.initial)}
    />
  );
}
