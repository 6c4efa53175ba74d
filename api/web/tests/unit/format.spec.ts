import { expect, test } from "@playwright/test";
import { decimal } from "../../lib/decimal";
import { count, day, duration, money, number, percent, shiftDay } from "../../lib/format";

test.beforeAll(() => {
  expect(new Intl.NumberFormat().resolvedOptions().locale, "these texts are English").toMatch(/^en/);
});

test("rupees are grouped in lakh and crore, dollars in thousands", () => {
  expect(money(decimal("12345678.5"), "INR")).toBe("₹1,23,45,678.50");
  expect(money(decimal("12345678.5"), "USD")).toBe("$12,345,678.50");
  expect(money(decimal("-3"), "USD")).toBe("-$3.00");
});

test("amounts past what a double holds keep their cents", () => {
  expect(money(decimal("9999999999999999.99"), "USD")).toBe("$9,999,999,999,999,999.99");
});

test("counts drop places, columns keep theirs", () => {
  expect(count(decimal("2414.000"))).toBe("2,414");
  expect(count(decimal("8.5"), 1)).toBe("8.5");
  expect(number(decimal("1.5"), 3)).toBe("1.500");
});

test("a change carries its sign", () => {
  expect(percent(0.045, true)).toBe("+4.5%");
  expect(percent(-0.045, true)).toBe("-4.5%");
  expect(percent(0, true)).toBe("0.0%");
});

test("business dates are calendar days, wherever the reader is", () => {
  expect(shiftDay("2026-03-01", -1)).toBe("2026-02-28");
  expect(shiftDay("2024-12-31", 1)).toBe("2025-01-01");
  expect(day("2026-11-22")).toContain("22");
});

test("waits are told in the unit that fits", () => {
  expect([duration(48), duration(3400), duration(120_000)]).toEqual(["48 ms", "3.4 s", "2 min"]);
});
