import { useEffect, useRef } from "react";
import { useStored } from "./stored";

export type Shortcut = {
  /** "mod+k" for Ctrl or ⌘ with K, else the key as typed. Two keys, one after the other: "g s". */
  keys: string;
  label: string;
  run: () => void;
};

const SEQUENCE_MAX_MS = 1_000;

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement && target.closest("input, textarea, select, [contenteditable]") !== null
  );
}

/** Keys without a modifier can be switched off: speech input types them by accident (WCAG 2.1.4). */
export function useSingleKeys(): [boolean, (on: boolean) => void] {
  return useStored("millrace.single-keys", true);
}

export function useShortcuts(shortcuts: Shortcut[]): void {
  const [singleKeys] = useSingleKeys();
  const latest = useRef(shortcuts);
  useEffect(() => {
    latest.current = shortcuts;
  });

  useEffect(() => {
    let before = "";
    let beforeAtMs = 0;
    const onKey = (event: KeyboardEvent) => {
      const key = event.key.toLowerCase();
      const isModified = event.ctrlKey || event.metaKey;
      const typed = isModified ? `mod+${key}` : key;
      if (
        event.altKey ||
        (!isModified &&
          (!singleKeys || isTyping(event.target) || document.querySelector("[role=dialog], dialog[open]")))
      )
        return;
      const sequence = event.timeStamp - beforeAtMs < SEQUENCE_MAX_MS ? `${before} ${typed}` : typed;
      before = typed;
      beforeAtMs = event.timeStamp;
      const found =
        latest.current.find(({ keys }) => keys === sequence) ??
        latest.current.find(({ keys }) => keys === typed);
      if (!found) return;
      event.preventDefault();
      found.run();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [singleKeys]);
}
