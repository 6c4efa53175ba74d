/**
 * Who is signed in. The tokens live in memory and in this tab's sessionStorage, so that a reload keeps them and a
 * closed tab forgets them. Nothing here talks to React: `useSession` subscribes to it.
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
const listeners = new Set<() => void>();
/** `undefined`: not looked up yet, which is what the exported HTML is rendered with. */
let current: Session | null | undefined;

function restore(): Session | null {
  try {
    const stored = sessionStorage.getItem(STORAGE_KEY);
    return stored ? (JSON.parse(stored) as Session) : null;
  } catch {
    return null;
  }
}

export function getSession(): Session | null {
  if (current === undefined) current = restore();
  return current;
}

export function setSession(grant: Grant | null): void {
  current = grant && {
    accessToken: grant.access_token,
    refreshToken: grant.refresh_token,
    expiresAtMs: Date.now() + grant.expires_in * 1000,
    user: grant.user,
  };
  try {
    if (current) sessionStorage.setItem(STORAGE_KEY, JSON.stringify(current));
    else sessionStorage.removeItem(STORAGE_KEY);
  } catch {
    // A browser that forbids storage still gets a session, for as long as the page lives.
  }
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The session; `null` when signed out, `undefined` until the browser's storage was read. */
export function useSession(): Session | null | undefined {
  return useSyncExternalStore(subscribe, getSession, () => undefined);
}
