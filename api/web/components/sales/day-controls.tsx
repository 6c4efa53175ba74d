"use client";
import { ChevronLeft, ChevronRight, Pause, Play } from "lucide-react";
import { shiftDay } from "@/lib/format";
import { useSetParams } from "@/lib/shell/address";
import styles from "./day-controls.module.css";

type Props = {
  day: string | undefined;
  newestDay: string | undefined;
  isPaused: boolean;
  onPause: () => void;
};

/** Which day, and whether it moves. Without a day in the address the newest one is shown, and followed. */
export function DayControls({ day, newestDay, isPaused, onPause }: Props) {
  const setParams = useSetParams();
  const isNewest = day === newestDay;
  const setDay = (next: string) => setParams({ day: next === newestDay ? undefined : next });
  return (
    <div className={styles.controls}>
      <div className={styles.days}>
        <button
          type="button"
          aria-label="Day before"
          disabled={!day}
          onClick={() => day && setDay(shiftDay(day, -1))}
        >
          <ChevronLeft size={15} aria-hidden="true" />
        </button>
        <input
          type="date"
          aria-label="Day"
          value={day ?? ""}
          max={newestDay}
          onChange={(event) => event.target.value && setDay(event.target.value)}
        />
        <button
          type="button"
          aria-label="Day after"
          disabled={!day || isNewest}
          onClick={() => day && setDay(shiftDay(day, 1))}
        >
          <ChevronRight size={15} aria-hidden="true" />
        </button>
      </div>
      {!isNewest && newestDay && (
        <button type="button" className={styles.button} onClick={() => setDay(newestDay)}>
          Newest day
        </button>
      )}
      <button type="button" className={styles.button} aria-pressed={isPaused} onClick={onPause}>
        {isPaused ? <Play size={14} aria-hidden="true" /> : <Pause size={14} aria-hidden="true" />}
        {isPaused ? "Resume all" : "Pause all"}
      </button>
    </div>
  );
}
