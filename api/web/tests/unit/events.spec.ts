import { expect, test } from "@playwright/test";
import type { Row } from "../../lib/api/json";
import { decode, Relation, type StreamEvent } from "../../lib/live/events";

const snapshot = (rows: Row[], position = 10): StreamEvent => ({
  event: "snapshot",
  position,
  as_of: "2026-01-01T10:00:00Z",
  key: ["shop_id"],
  rows,
});

test("changes are applied by key on top of the snapshot", () => {
  const relation = new Relation();
  relation.apply(
    snapshot([
      { shop_id: "a", revenue: 1 },
      { shop_id: "b", revenue: 2 },
    ]),
    "10",
  );
  relation.apply(
    {
      event: "change",
      position: 12,
      as_of: "2026-01-01T10:00:05Z",
      upserts: [
        { shop_id: "b", revenue: 3 },
        { shop_id: "c", revenue: 4 },
      ],
      deletes: [{ shop_id: "a" }],
    },
    "12.2",
  );
  expect(relation.rows()).toEqual([
    { shop_id: "b", revenue: 3 },
    { shop_id: "c", revenue: 4 },
  ]);
  expect(relation.position).toBe(12);
  expect(relation.resumeAt).toBe("12.2");
  expect(relation.asOf).toBe("2026-01-01T10:00:05Z");
});

test("a heartbeat moves the position and leaves the rows, the very same array", () => {
  const relation = new Relation();
  relation.apply(snapshot([{ shop_id: "a", revenue: 1 }]), "10");
  const before = relation.rows();
  relation.apply(
    { event: "heartbeat", position: 20, as_of: null, server_time: "2026-01-01T10:00:06Z" },
    "20",
  );
  expect(relation.rows()).toBe(before);
  expect(relation.resumeAt).toBe("20");
  expect(relation.asOf).toBe("2026-01-01T10:00:00Z");
});

test("a reset drops everything, so that the next connection begins anew", () => {
  const relation = new Relation();
  relation.apply(snapshot([{ shop_id: "a", revenue: 1 }]), "10");
  relation.apply({ event: "reset", reason: "no longer retained" }, undefined);
  expect(relation.rows()).toEqual([]);
  expect(relation.resumeAt).toBeUndefined();
  relation.apply(snapshot([{ shop_id: "b", revenue: 5 }], 30), "30");
  expect(relation.rows()).toEqual([{ shop_id: "b", revenue: 5 }]);
  expect(relation.resumeAt).toBe("30");
});

test("rows read outside a stream are shown, but no stream resumes on them", () => {
  const relation = new Relation();
  relation.replace([{ shop_id: "a", revenue: 1 }], 40, null);
  expect(relation.rows()).toHaveLength(1);
  expect(relation.position).toBe(40);
  expect(relation.resumeAt).toBeUndefined();
});

test("kinds of message from a newer server are passed over", () => {
  expect(decode("sparkle", "{}")).toBeUndefined();
  expect(decode(undefined, "{}")).toBeUndefined();
  expect(decode("reset", '{"reason":"restart"}')).toEqual({ event: "reset", reason: "restart" });
});
