/**
 * The one way to the gateway: adds the access token, renews it when it ends, turns every failure into a `Problem`
 * and counts the writes that have not been acknowledged yet.
 */
import { useSyncExternalStore } from "react";
import { parseExact } from "./json";
import { Problem, problemOf, unreachable } from "./problem";
import { alone, type Grant, getSession, readSession, type Session, setSession } from "./session";

/** Renew this long before the access token ends, so that no request is sent with one that ends on the way. */
const RENEW_EARLY_MS = 30_000;

let renewal: Promise<Session | null> | undefined;
let unsent = 0;
const unsentListeners = new Set<() => void>();

async function send(path: string, init: RequestInit): Promise<Response> {
  const isWrite = (init.method ?? "GET") !== "GET";
  if (isWrite) countUnsent(1);
  try {
    return await fetch(path, init);
  } catch (cause) {
    if (init.signal?.aborted) throw cause;
    throw unreachable(cause);
  } finally {
    if (isWrite) countUnsent(-1);
  }
}

function jsonBody(body: unknown): RequestInit {
  return { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}

async function grant(path: string, body: unknown): Promise<Grant> {
  const response = await send(path, jsonBody(body));
  if (!response.ok) throw await problemOf(response);
  return (await response.json()) as Grant;
}

export async function signIn(email: string, password: string): Promise<void> {
  setSession(await grant("/auth/login", { email, password }));
}

/** Forgets the session here at once; the server is told so that the refresh token dies too. */
export async function signOut(): Promise<void> {
  const session = getSession();
  setSession(null);
  if (!session) return;
  await send("/auth/logout", jsonBody({ refresh_token: session.refreshToken })).catch(() => undefined);
}

/**
 * The session that follows one whose access token has ended, `null` when signed out. The tokens are renewed once, however
 * many requests of however many windows ask for it at the same time.
 */
function renewed(ended: Session): Promise<Session | null> {
  renewal ??= alone(() => renew(ended)).finally(() => {
    renewal = undefined;
  });
  return renewal;
}

async function renew(ended: Session): Promise<Session | null> {
  const session = readSession();
  // Another window has signed out, or renewed them while this one waited its turn.
  if (!session || session.refreshToken !== ended.refreshToken) return session;
  const isStill = () => readSession()?.refreshToken === session.refreshToken;
  try {
    const next = await grant("/auth/refresh", { refresh_token: session.refreshToken });
    // Whoever signed out meanwhile has ended these tokens too.
    if (isStill()) setSession(next);
  } catch (problem) {
    if (problem instanceof Problem && problem.isRefusal && isStill()) setSession(null);
    throw problem;
  }
  return getSession();
}

function authorised(init: RequestInit, session: Session | null): RequestInit {
  const headers = new Headers(init.headers);
  if (session) headers.set("authorization", `Bearer ${session.accessToken}`);
  return { ...init, headers };
}

/** A response with status 2xx, or a thrown `Problem`. */
export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  let session = getSession();
  if (session && session.expiresAtMs - Date.now() < RENEW_EARLY_MS) session = await renewed(session);
  let response = await send(path, authorised(init, session));
  if (response.status === 401 && session) {
    session = await renewed(session);
    response = await send(path, authorised(init, session));
    if (response.status === 401) setSession(null);
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}

export async function getJson<T>(path: string, init?: RequestInit): Promise<T> {
  const response = await request(path, init);
  return parseExact(await response.text()) as T;
}

function countUnsent(change: number): void {
  unsent += change;
  for (const listener of unsentListeners) listener();
}

/** Writes on their way to the server, not acknowledged yet. */
export function useUnsent(): number {
  return useSyncExternalStore(
    (listener) => {
      unsentListeners.add(listener);
      return () => unsentListeners.delete(listener);
    },
    () => unsent,
    () => 0,
  );
}
