import { expect, test } from "@playwright/test";
import { parseExact } from "../../lib/api/json";
import { decimal, divide, sum, text } from "../../lib/decimal";

test("decimals are read exactly from numbers and text", () => {
  expect(text(decimal("1500.00"))).toBe("1500.0000");
  expect(text(decimal(0.1))).toBe("0.1000");
  expect(text(decimal("-0.05"))).toBe("-0.0500");
  expect(text(decimal(1e-7))).toBe("0.0000");
  expect(decimal(null)).toBe(0n);
  expect(() => decimal("12,5")).toThrow(/12,5/);
});

test("sums don't drift as floats do", () => {
  const dimes = Array.from({ length: 10_000 }, () => decimal(0.1));
  expect(text(sum(dimes))).toBe("1000.0000");
});

test("the longest amount of numeric(18,2) survives JSON", () => {
  const { amount } = parseExact('{"amount": 9999999999999999.99}') as { amount: string };
  expect(text(decimal(amount))).toBe("9999999999999999.9900");
});

test("texts with long runs of digits are left as they are", () => {
  const document = '{"note": "a \\"quoted\\", 12345678901234567890, b", "n": -12345678901234567.5}';
  expect(parseExact(document)).toEqual({
    note: 'a "quoted", 12345678901234567890, b',
    n: "-12345678901234567.5",
  });
});

test("short numbers and texts in JSON are left as they are", () => {
  expect(parseExact('{"a": 1500.00, "b": "1500.00", "c": [true, null]}')).toEqual({
    a: 1500,
    b: "1500.00",
    c: [true, null],
  });
});

test("quotients are rounded half away from zero", () => {
  const third = divide(decimal(2), decimal(3));
  expect(third === undefined ? "" : text(third)).toBe("0.6667");
  const negative = divide(decimal(-2), decimal(3));
  expect(negative === undefined ? "" : text(negative)).toBe("-0.6667");
  expect(divide(decimal(1), 0n)).toBeUndefined();
});
