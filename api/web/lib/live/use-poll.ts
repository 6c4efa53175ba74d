import { useEffect, useState } from "react";
import { Problem, unreachable } from "../api/problem";

export type Polled<T> = { value?: T; problem?: Problem };

/**
 * Reads something again and again while the window is seen. `key` names what is read: another key starts over.
 * After a failure the last value stays, with the problem beside it.
 */
export function usePoll<T>(
  key: string | undefined,
  read: (signal: AbortSignal) => Promise<T>,
  everyMs: number,
): Polled<T> {
  const [state, setState] = useState<Polled<T> & { key?: string }>({});

  // biome-ignore lint/correctness/useExhaustiveDependencies: `key` stands for what `read` reads
  useEffect(() => {
    if (key === undefined) return;
    const controller = new AbortController();
    let timer: ReturnType<typeof setTimeout>;
    const round = async () => {
      if (document.visibilityState === "visible") {
        try {
          const value = await read(controller.signal);
          if (!controller.signal.aborted) setState({ key, value });
        } catch (cause) {
          if (controller.signal.aborted) return;
          const problem = cause instanceof Problem ? cause : unreachable(cause);
          setState((last) => ({ key, value: last.key === key ? last.value : undefined, problem }));
        }
      }
      if (!controller.signal.aborted) timer = setTimeout(round, everyMs);
    };
    void round();
    return () => {
      controller.abort();
      clearTimeout(timer);
    };
  }, [key, everyMs]);

  return state.key === key ? state : {};
}
