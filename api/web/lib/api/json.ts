/** JSON whose decimals stay exact: the server writes them as numbers, a double would round the long ones. */

export type Value = string | number | boolean | null;
export type Row = Record<string, Value>;

/** Digits a double is sure to carry through unchanged. */
const EXACT_DIGITS_MAX = 15;

type Source = { source?: string };

function keepDigits(_key: string, value: unknown, context?: Source): unknown {
  if (typeof value !== "number" || !context?.source) return value;
  return context.source.length > EXACT_DIGITS_MAX + 2 ? context.source : value;
}

/** Parses a document; a number of more digits than a double holds comes back as the text it was written in. */
export function parseExact(text: string): unknown {
  return JSON.parse(text, keepDigits as (key: string, value: unknown) => unknown);
}
