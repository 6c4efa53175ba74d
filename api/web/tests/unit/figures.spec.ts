import { expect, test } from "@playwright/test";
import { ticks } from "../../components/charts/scale";
import { decimal, text } from "../../lib/decimal";
import { basket, byHour, change, paymentMix, ranked, totals } from "../../lib/sales/figures";

const rows = [
  { shop_id: "a", shop_name: "Oak", business_hour: 9, invoices: 2, revenue: 10.1, margin: 3, units: 4 },
  { shop_id: "b", shop_name: "Elm", business_hour: 9, invoices: 1, revenue: 20.2, margin: 5, units: 6 },
  { shop_id: "a", shop_name: "Oak", business_hour: 11, invoices: 3, revenue: 30.3, margin: 9, units: 8.5 },
];

test("totals over all hours, and over those before one", () => {
  expect(text(totals(rows).revenue)).toBe("60.6000");
  expect(text(totals(rows).units)).toBe("18.5000");
  expect(text(totals(rows, 11).revenue)).toBe("30.3000");
});

test("an hour without a sale between two with one is there, empty", () => {
  expect(byHour(rows).map(({ hour, revenue }) => [hour, text(revenue)])).toEqual([
    [9, "30.3000"],
    [10, "0.0000"],
    [11, "30.3000"],
  ]);
  expect(byHour([])).toEqual([]);
});

test("groups come with the highest revenue first and shares of the whole", () => {
  const [oak, elm] = ranked(rows, "shop_id", "shop_name");
  expect([oak?.name, elm?.name]).toEqual(["Oak", "Elm"]);
  expect(oak?.share).toBeCloseTo(40.4 / 60.6, 5);
});

test("the basket is revenue by invoice, and nothing without invoices", () => {
  const size = basket(totals(rows));
  expect(size === undefined ? "" : text(size)).toBe("10.1000");
  expect(basket(totals([]))).toBeUndefined();
});

test("change needs something to compare with", () => {
  expect(change(decimal(110), decimal(100))).toBeCloseTo(0.1);
  expect(change(decimal(110), 0n)).toBeUndefined();
  expect(change(undefined, decimal(1))).toBeUndefined();
});

test("tenders are summed over shops", () => {
  const mix = paymentMix([
    { tender: "card", amount: 5, count: 1 },
    { tender: "cash", amount: 20, count: 2 },
    { tender: "card", amount: 5, count: 1 },
  ]);
  expect(mix.map(({ tender, share }) => [tender, Math.round(share * 100)])).toEqual([
    ["cash", 67],
    ["card", 33],
  ]);
});

test("an axis ends at or above the highest value in round steps", () => {
  expect(ticks(9)).toEqual([0, 2.5, 5, 7.5, 10]);
  expect(ticks(4100)).toEqual([0, 2000, 4000, 6000]);
  expect(ticks(0)).toEqual([0]);
});
