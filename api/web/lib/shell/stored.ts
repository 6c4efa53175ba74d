/** Small settings this browser remembers: panel sizes, theme. Every reader of a key sees the same value at once. */
import { useCallback, useSyncExternalStore } from "react";

const listeners = new Set<() => void>();
const parsed = new Map<string, { text: string | null; value: unknown }>();

function read<T>(key: string, initial: T): T {
  let text: string | null = null;
  try {
    text = localStorage.getItem(key);
  } catch {
    // Without storage the setting lasts as long as the page, held in `parsed`.
    return (parsed.get(key)?.value as T | undefined) ?? initial;
  }
  const known = parsed.get(key);
  if (known && known.text === text) return (known.value as T | undefined) ?? initial;
  let value: unknown;
  try {
    value = text === null ? undefined : JSON.parse(text);
  } catch {
    value = undefined;
  }
  parsed.set(key, { text, value });
  return (value as T | undefined) ?? initial;
}

function write(key: string, value: unknown): void {
  const text = JSON.stringify(value);
  parsed.set(key, { text, value });
  try {
    localStorage.setItem(key, text);
  } catch {
    // See `read`.
  }
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  window.addEventListener("storage", listener);
  return () => {
    listeners.delete(listener);
    window.removeEventListener("storage", listener);
  };
}

export function useStored<T>(key: string, initial: T): [T, (value: T) => void] {
  const value = useSyncExternalStore(
    subscribe,
    () => read(key, initial),
    () => initial,
  );
  const set = useCallback((next: T) => write(key, next), [key]);
  return [value, set];
}
