import { expect, test } from "@playwright/test";
import { ticks } from "../../components/charts/scale";
import { decimal, text } from "../../lib/decimal";
import { basket, byHour, change, hoursToCompare, paymentMix, ranked, totals } from "../../lib/sales/figures";

const rows = [
  { shop_id: "a", shop_name: "Oak", business_hour: 9, invoices: 2, revenue: 10.1, margin: 3, units: 4 },
  { shop_id: "b", shop_name: "Elm", business_hour: 9, invoices: 1, revenue: 20.2, margin: 5, units: 6 },
  { shop_id: "a", shop_name: "Oak", business_hour: 11, invoices: 3, revenue: 30.3, margin: 9, units: 8.5 },
];

test("totals over all hours, and over some", () => {
  expect(text(totals(rows).revenue)).toBe("60.6000");
  expect(text(totals(rows).units)).toBe("18.5000");
  expect(text(totals(rows, { from: 9, until: 11 }).revenue)).toBe("30.3000");
  expect(text(totals(rows, { from: 10, until: 12 }).revenue)).toBe("30.3000");
});

test("a young day is compared with the same hours of the day before, not with the whole of it", () => {
  const young = [
    { business_hour: 16, revenue: 90 },
    { business_hour: 17, revenue: 20 },
    { business_hour: 18, revenue: 5 },
  ];
  const before = [8, 12, 16, 17, 18, 21].map((business_hour) => ({ business_hour, revenue: 50 }));
  const hours = hoursToCompare(young, false);
  expect(hours).toEqual({ from: 16, until: 18 });
  const growth = change(totals(young, hours).revenue, totals(before, hours).revenue);
  expect(growth).toBeCloseTo(0.1);
});

test("a day in its first hour has nothing to compare yet; one that is over has all of it", () => {
  const first = [{ business_hour: 16, revenue: 90 }];
  const before = [{ business_hour: 9, revenue: 50 }, ...first];
  for (const beginning of [first, []]) {
    const hours = hoursToCompare(beginning, false);
    expect(change(totals(beginning, hours).revenue, totals(before, hours).revenue)).toBeUndefined();
  }
  const whole = hoursToCompare(first, true);
  expect(change(totals(first, whole).revenue, totals(before, whole).revenue)).toBeCloseTo(-50 / 140);
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
