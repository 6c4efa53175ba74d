/** The state of the running system and the shops the user may see. */
import { getJson } from "./request";

export type Status = {
  version: string;
  environment: string;
  /** Position of the newest event in the views. */
  position: number;
  /** Position of the newest event known to be committed. */
  frontier_position: number;
  /** Age of what the views don't show yet. */
  freshness_ms: number | null;
};

export function readStatus(signal?: AbortSignal): Promise<Status> {
  return getJson<Status>("/api/v1/status", { signal });
}
