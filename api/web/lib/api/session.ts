/**
 * Who is signed in. All windows of a browser share one session, because its refresh token works only once: it is kept in
 * localStorage, where each window finds what the others made of it. Nothing here talks to React: `useSession` subscribes
 * to it.
 */
import { useSyncExternalStore } from "react";
import type { components } from "./schema";

export type User = components["schemas"]["Person"];

export type Session = {
  accessToken: string;
  refreshToken: string;
  /** When the access token ends, in milliseconds of the browser's clock. */
  expiresAtMs: number;
  user: User;
};

/** What `POST /auth/login` and `POST /auth/refresh` answer. */
export type Grant = components["schemas"]["Grant"];

const STORAGE_KEY = "millrace.session";
const RENEWAL_LOCK = "millrace.session.renewal";
const listeners = new Set<() => void>();
/** `undefined`: not looked up yet, which is what the exported HTML is rendered with. */
let current: Session | null | undefined;
/** The text `current` was read from or written as. */
let currentText: string | null | undefined;

/** The session as it is in storage at this moment, also when another window has just changed it. */
export function readSession(): Session | null {
  try {
    const text = localStorage.getItem(STORAGE_KEY);
    if (text !== currentText) {
      current = text ? (JSON.parse(text) as Session) : null;
      currentText = text;
    }
  } catch {
    // A browser that forbids storage gets a session of this window, for as long as the page lives.
    current ??= null;
  }
  return current ?? null;
}

export function getSession(): Session | null {
  return current === undefined ? readSession() : current;
}

export function setSession(grant: Grant | null): void {
  current = grant && {
    accessToken: grant.access_token,
    refreshToken: grant.refresh_token,
    expiresAtMs: Date.now() + grant.expires_in * 1000,
    user: grant.user,
  };
  currentText = current && JSON.stringify(current);
  try {
    if (currentText) localStorage.setItem(STORAGE_KEY, currentText);
    else localStorage.removeItem(STORAGE_KEY);
  } catch {
    // See `readSession`.
  }
  for (const listener of listeners) listener();
}

/**
 * Does `work` while no other window does such work. Browsers have locks where they trust the connection: over https, and
 * to this machine.
 */
export async function alone(work: () => Promise<Session | null>): Promise<Session | null> {
  return navigator.locks ? await navigator.locks.request(RENEWAL_LOCK, work) : work();
}

function subscribe(listener: () => void): () => void {
  const onStorage = ({ key }: StorageEvent) => {
    // Without a key, everything was cleared.
    if (key !== STORAGE_KEY && key !== null) return;
    readSession();
    listener();
  };
  listeners.add(listener);
  window.addEventListener("storage", onStorage);
  return () => {
    listeners.delete(listener);
    window.removeEventListener("storage", onStorage);
  };
}

/** The session; `null` when signed out, `undefined` until the browser's storage was read. */
export function useSession(): Session | null | undefined {
  return useSyncExternalStore(subscribe, getSession, () => undefined);
}
