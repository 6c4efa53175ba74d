/** How the running system fares. */
import { getJson } from "./request";
import type { components } from "./schema";

export type Status = components["schemas"]["Status"];

export function readStatus(signal?: AbortSignal): Promise<Status> {
  return getJson<Status>("/api/v1/status", { signal });
}
