import { useMemo, useSyncExternalStore } from "react";
import type { Filter } from "../api/views";
import { viewPath } from "../api/views";
import type { LiveRows } from "./view";
import { LiveView, NOTHING_YET } from "./view";

const noSubscription = () => () => undefined;
const nothingYet = () => NOTHING_YET;

/** The rows of a view under a filter, live for as long as the component is shown; `undefined` waits. */
export function useLive(name: string, filter: Filter | undefined): LiveRows {
  const address = filter && viewPath(name, filter);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the address stands for the filter's content
  const view = useMemo(() => filter && new LiveView(name, filter), [name, address]);
  return useSyncExternalStore(view?.subscribe ?? noSubscription, view?.current ?? nothingYet, nothingYet);
}
