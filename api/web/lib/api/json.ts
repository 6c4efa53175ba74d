/** JSON whose decimals stay exact: the server writes them as numbers, a double would round the long ones. */

export type Value = string | number | boolean | null;
export type Row = Record<string, Value>;

/** A double carries 15 digits for sure; with the point that is 16 characters. */
const LONG = /[\d.]{16,}/;
/** Every string, so that it is stepped over, or a long number. */
const STRING_OR_LONG_NUMBER = /"(?:[^"\\]|\\.)*"|-?\d[\d.]{15,}(?![\d.eE+-])/g;

/** Parses a document; a number of more digits than a double holds comes back as the text it was written in. */
export function parseExact(text: string): unknown {
  if (!LONG.test(text)) return JSON.parse(text);
  return JSON.parse(
    text.replace(STRING_OR_LONG_NUMBER, (token) => (token.startsWith('"') ? token : `"${token}"`)),
  );
}
