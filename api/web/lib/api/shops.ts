import { getJson } from "./request";
import type { components } from "./schema";

export type Shop = components["schemas"]["ShopOpened"];

const SHOPS_PER_READ = 1000;

export async function listShops(signal?: AbortSignal): Promise<Shop[]> {
  const { rows } = await getJson<{ rows: Shop[] }>(`/api/v1/shops?limit=${SHOPS_PER_READ}&sort=name:asc`, {
    signal,
  });
  return rows;
}
