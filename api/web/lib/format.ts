/** Numbers, money, dates and times as the reader's locale writes them. */
import { type Decimal, text } from "./decimal";

/** Rupees are grouped in lakh and crore for whoever reads them in English, whatever the English. */
function localeFor(currency: string | undefined): string | undefined {
  const { locale } = new Intl.NumberFormat().resolvedOptions();
  return currency === "INR" && locale.startsWith("en") ? "en-IN" : undefined;
}

const formats = new Map<string, Intl.NumberFormat>();

function numberFormat(currency: string | undefined, options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = `${currency}|${JSON.stringify(options)}`;
  let format = formats.get(key);
  if (!format) {
    format = new Intl.NumberFormat(localeFor(currency), options);
    formats.set(key, format);
  }
  return format;
}

export function money(value: Decimal, currency: string | undefined, digits = 2): string {
  const places = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  const style = currency ? ({ style: "currency", currency, currencyDisplay: "narrowSymbol" } as const) : {};
  return numberFormat(currency, { ...style, ...places }).format(text(value));
}

/** Short money for the axis of a chart: $1.2K, ₹3.4L. */
export function moneyShort(value: number, currency: string | undefined): string {
  const style = currency ? ({ style: "currency", currency, currencyDisplay: "narrowSymbol" } as const) : {};
  return numberFormat(currency, { ...style, notation: "compact", maximumFractionDigits: 1 }).format(value);
}

export function count(value: Decimal | number, digitsMax = 0): string {
  const options = { maximumFractionDigits: digitsMax };
  return numberFormat(undefined, options).format(typeof value === "number" ? value : text(value));
}

/** A decimal with exactly as many digits after the point as its column has. */
export function number(value: Decimal, places: number): string {
  const options = { minimumFractionDigits: places, maximumFractionDigits: places };
  return numberFormat(undefined, options).format(text(value));
}

/** A share such as 0.253 as "25.3 %" in the locale's way. */
export function percent(share: number, signed = false): string {
  return numberFormat(undefined, {
    style: "percent",
    minimumFractionDigits: 1,
    maximumFractionDigits: 1,
    signDisplay: signed ? "exceptZero" : "auto",
  }).format(share);
}

/** A business date "2026-11-22": a calendar day, no instant, so it is formatted without any time zone's shift. */
export function day(date: string, style: "short" | "long" = "short"): string {
  const options: Intl.DateTimeFormatOptions =
    style === "short"
      ? { weekday: "short", day: "numeric", month: "short" }
      : { weekday: "long", day: "numeric", month: "long", year: "numeric" };
  return new Intl.DateTimeFormat(undefined, { ...options, timeZone: "UTC" }).format(
    new Date(`${date}T00:00:00Z`),
  );
}

/** The business date some days after another. */
export function shiftDay(date: string, days: number): string {
  const shifted = new Date(`${date}T00:00:00Z`);
  shifted.setUTCDate(shifted.getUTCDate() + days);
  return shifted.toISOString().slice(0, 10);
}

export function clock(instant: string): string {
  return new Intl.DateTimeFormat(undefined, { timeStyle: "medium" }).format(new Date(instant));
}

export function hour(ofDay: number): string {
  return `${String(ofDay).padStart(2, "0")}:00`;
}

/** A wait: "120 ms", "3.4 s", "5 min". */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${count(ms / 1000, 1)} s`;
  return `${count(ms / 60_000)} min`;
}
