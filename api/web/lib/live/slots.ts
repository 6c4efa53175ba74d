/**
 * A browser opens at most six connections to one server over HTTP/1.1, for all windows together; a stream holds one
 * for good. Web Locks share a smaller number out among the windows so that pages and reads always find one free.
 */

const STREAMS_MAX = 4;

export type Release = () => void;

/** A slot, or `undefined` when all are taken. Without Web Locks, or over HTTP/2, there is nothing to share. */
export async function takeSlot(): Promise<Release | undefined> {
  if (!navigator.locks || isMultiplexed()) return () => undefined;
  for (let slot = 0; slot < STREAMS_MAX; slot += 1) {
    const release = await tryLock(`millrace-stream-${slot}`);
    if (release) return release;
  }
  return undefined;
}

function isMultiplexed(): boolean {
  const [navigation] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
  return /^h[23]/.test(navigation?.nextHopProtocol ?? "");
}

function tryLock(name: string): Promise<Release | undefined> {
  return new Promise((resolve) => {
    void navigator.locks.request(name, { ifAvailable: true }, (lock) => {
      if (!lock) return resolve(undefined);
      return new Promise<void>((release) => resolve(release));
    });
  });
}
