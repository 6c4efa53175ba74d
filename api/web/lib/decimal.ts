/**
 * Exact decimals for money and stock: a `bigint` counting ten-thousandths, the finest scale the views use. Sums stay
 * exact; only ratios for display become floats.
 */
import type { Value } from "./api/json";

export type Decimal = bigint;

const PLACES = 4;
const ONE = 10n ** BigInt(PLACES);
const ONE_NUMBER = 10 ** PLACES;
/** Below this a double times ten thousand is off by far less than a half, so that rounding finds the digits written. */
const FAST_MAX = 1e9;

/** Reads "1500.00", 1500 or null (0). Of at most four places, as all decimals of the views are. */
export function decimal(value: Value | undefined): Decimal {
  if (value === null || value === undefined || typeof value === "boolean") return 0n;
  if (typeof value === "number" && Math.abs(value) < FAST_MAX) return BigInt(Math.round(value * ONE_NUMBER));
  const text = typeof value === "number" ? plain(value) : value.trim();
  const match = /^([+-]?)(\d*)(?:\.(\d*))?$/.exec(text);
  if (!match || (!match[2] && !match[3])) throw new RangeError(`"${text}" is not a decimal`);
  const [, sign, whole = "", fraction = ""] = match;
  const units = BigInt(whole || "0") * ONE + BigInt(fraction.padEnd(PLACES, "0").slice(0, PLACES));
  return sign === "-" ? -units : units;
}

/** A number's digits without an exponent. */
function plain(value: number): string {
  const text = String(value);
  return text.includes("e") ? value.toFixed(PLACES) : text;
}

export function sum(values: Iterable<Decimal>): Decimal {
  let total = 0n;
  for (const value of values) total += value;
  return total;
}

/** The decimal as text, exact, as `Intl.NumberFormat` takes it. */
export function text(value: Decimal): `${number}` {
  const sign = value < 0n ? "-" : "";
  const magnitude = value < 0n ? -value : value;
  const fraction = String(magnitude % ONE).padStart(PLACES, "0");
  return `${sign}${magnitude / ONE}.${fraction}` as `${number}`;
}

/** A quotient rounded half away from zero to the fourth place; `undefined` when there is nothing to divide by. */
export function divide(value: Decimal, by: Decimal): Decimal | undefined {
  if (by === 0n) return undefined;
  const scaled = 2n * value * ONE;
  const half = value < 0n === by < 0n ? by : -by;
  return (scaled + half) / (2n * by);
}

/** For the length of a bar or the height of a line: never shown as a number. */
export function approximate(value: Decimal): number {
  return Number(value) / Number(ONE);
}
