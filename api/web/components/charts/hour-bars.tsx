"use client";
import { useState } from "react";
import styles from "./hour-bars.module.css";
import { ticks } from "./scale";
import { useWidth } from "./use-width";

export type HourBar = {
  hour: number;
  label: string;
  /** Heights; the texts say the exact figures. */
  now?: number;
  before?: number;
  nowText?: string;
  beforeText?: string;
};

type Props = {
  bars: HourBar[];
  /** What the chart says, for those who don't see it. */
  summary: string;
  nowName: string;
  beforeName?: string;
  formatTick: (value: number) => string;
};

const HEIGHT = 220;
const MARGIN = { top: 8, right: 4, bottom: 22, left: 52 };
/** Holds a date and an amount of crores on one line. */
const TIP_WIDTH = 216;

/** Bars per hour with the day compared with as a line of steps behind them. */
export function HourBars({ bars, summary, nowName, beforeName, formatTick }: Props) {
  const [figure, width] = useWidth<HTMLElement>(640);
  const [pointed, setPointed] = useState<number>();

  const scale = ticks(Math.max(0, ...bars.flatMap(({ now = 0, before = 0 }) => [now, before])));
  const most = scale.at(-1) || 1;
  const innerWidth = Math.max(0, width - MARGIN.left - MARGIN.right);
  const innerHeight = HEIGHT - MARGIN.top - MARGIN.bottom;
  const step = innerWidth / Math.max(1, bars.length);
  const barWidth = Math.min(40, step * 0.62);
  const y = (value: number) => MARGIN.top + innerHeight * (1 - Math.max(0, value) / most);
  const labelEvery = Math.ceil(46 / Math.max(1, step));
  const shown = bars[pointed ?? -1];

  return (
    <figure ref={figure} className={styles.figure}>
      <div className={styles.legend} aria-hidden="true">
        <span data-kind="now">{nowName}</span>
        {beforeName && <span data-kind="before">{beforeName}</span>}
      </div>
      <svg
        width={width}
        height={HEIGHT}
        role="img"
        aria-label={summary}
        onPointerLeave={() => setPointed(undefined)}
      >
        {scale.map((value) => (
          <g key={value}>
            <line
              className={styles.grid}
              x1={MARGIN.left}
              x2={width - MARGIN.right}
              y1={y(value)}
              y2={y(value)}
            />
            <text className={styles.tick} x={MARGIN.left - 8} y={y(value)} dy="0.32em" textAnchor="end">
              {formatTick(value)}
            </text>
          </g>
        ))}
        {bars.map(({ hour, label, now, before }, index) => {
          const left = MARGIN.left + index * step;
          const middle = left + step / 2;
          return (
            <g key={hour} onPointerEnter={() => setPointed(index)}>
              <rect
                className={styles.column}
                data-pointed={pointed === index}
                x={left}
                y={MARGIN.top}
                width={step}
                height={innerHeight}
              />
              {now !== undefined && (
                <rect
                  className={styles.bar}
                  x={middle - barWidth / 2}
                  y={y(now)}
                  width={barWidth}
                  height={Math.max(0, y(0) - y(now))}
                  rx={Math.min(3, barWidth / 2)}
                />
              )}
              {before !== undefined && (
                <line
                  className={styles.before}
                  x1={left + 2}
                  x2={left + step - 2}
                  y1={y(before)}
                  y2={y(before)}
                />
              )}
              {index % labelEvery === 0 && (
                <text className={styles.tick} x={middle} y={HEIGHT - 6} textAnchor="middle">
                  {label}
                </text>
              )}
            </g>
          );
        })}
      </svg>
      {shown && pointed !== undefined && (
        <div
          className={styles.tip}
          style={{
            width: TIP_WIDTH,
            left: Math.min(
              Math.max(0, MARGIN.left + (pointed + 0.5) * step - TIP_WIDTH / 2),
              Math.max(0, width - TIP_WIDTH),
            ),
          }}
        >
          <strong>{shown.label}</strong>
          <span>{nowName}</span>
          <span className="numeric">{shown.nowText ?? "none yet"}</span>
          {beforeName && (
            <>
              <span>{beforeName}</span>
              <span className="numeric">{shown.beforeText ?? "none"}</span>
            </>
          )}
        </div>
      )}
    </figure>
  );
}
