/** Numbers, money and times as people read them, in Korean and in English. Nothing here rounds a price. */

export type Language = "ko" | "en";

export const MINUS = "\u2212";
export const NONE = "–";

const KST_OFFSET_MS = 9 * 3600 * 1000;

/** 71300 → `71,300`; negative with a real minus sign. */
export function group(value: number): string {
  const digits = Math.abs(Math.trunc(value))
    .toString()
    .replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  return value < 0 ? MINUS + digits : digits;
}

/** `100주`, `100`. */
export function shares(value: number, language: Language): string {
  return language === "ko" ? `${group(value)}주` : group(value);
}

/** The change against the base price in hundredths of a percent, cut off towards zero as the exchange does. */
export function rateX100(price: number, base: number): number {
  if (base <= 0) return 0;
  return Math.trunc(((price - base) * 10_000) / base);
}

/** 113 → `+1.13%`, -69 → `−0.69%`, 0 → `0.00%`. */
export function percent(hundredths: number): string {
  const size = Math.abs(hundredths);
  const text = `${group(Math.floor(size / 100))}.${String(size % 100).padStart(2, "0")}%`;
  return hundredths > 0 ? `+${text}` : hundredths < 0 ? MINUS + text : text;
}

export type Direction = "up" | "down" | "flat";

export function direction(price: number, base: number): Direction {
  return price > base ? "up" : price < base ? "down" : "flat";
}

export const ARROW: Record<Direction, string> = { up: "▲", down: "▼", flat: "–" };

function cut(value: number, unit: number, decimals: number): string {
  const scale = 10 ** decimals;
  const scaled = Math.trunc((value / unit) * scale);
  const whole = group(Math.trunc(scaled / scale));
  return decimals === 0 ? whole : `${whole}.${String(Math.abs(scaled) % scale).padStart(decimals, "0")}`;
}

/** An amount of whole units, shortened: `5,983억`, `598.3B`. */
export function shortened(value: number, language: Language): string {
  if (language === "ko") {
    if (value >= 1e12) return `${cut(value, 1e12, 2)}조`;
    if (value >= 1e8) return `${cut(value, 1e8, 0)}억`;
    if (value >= 1e4) return `${cut(value, 1e4, 0)}만`;
    return group(value);
  }
  if (value >= 1e12) return `${cut(value, 1e12, 2)}T`;
  if (value >= 1e9) return `${cut(value, 1e9, 1)}B`;
  if (value >= 1e6) return `${cut(value, 1e6, 1)}M`;
  return group(value);
}

/** A volume where there is little room: `841만`, `8.41M`. */
export function volume(value: number, language: Language): string {
  if (language === "ko") {
    if (value >= 1e8) return `${cut(value, 1e8, 1)}억`;
    return value >= 1e5 ? `${cut(value, 1e4, 0)}만` : group(value);
  }
  if (value >= 1e9) return `${cut(value, 1e9, 2)}B`;
  if (value >= 1e6) return `${cut(value, 1e6, 2)}M`;
  return group(value);
}

/** An average price, a decimal string of the API, to a whole number of the smallest unit (half up). */
export function average(text: string | null): number | null {
  if (text === null) return null;
  const value = Number(text);
  return Number.isFinite(value) ? Math.round(value) : null;
}

/** Milliseconds since 1970 of an API time. */
export function millis(ts: string): number {
  return Date.parse(ts);
}

/** `HH:MM:SS` in Korean time, from an API time or milliseconds. */
export function clockTime(at: string | number): string {
  const ms = typeof at === "number" ? at : millis(at);
  return Number.isFinite(ms) ? new Date(ms + KST_OFFSET_MS).toISOString().slice(11, 19) : NONE;
}

/** `HH:MM:SS.ffffff` in Korean time: the story's details. */
export function preciseTime(ts: string): string {
  const decimals = /\.(\d{1,6})/.exec(ts)?.[1] ?? "";
  return `${clockTime(ts)}.${decimals.padEnd(6, "0")}`;
}

/** `MM-DD` in Korean time. */
export function monthDay(at: string | number): string {
  const ms = typeof at === "number" ? at : millis(at);
  return Number.isFinite(ms) ? new Date(ms + KST_OFFSET_MS).toISOString().slice(5, 10) : NONE;
}

/** KIS's `093354` → `09:33:54`. */
export function kisTime(time: string): string {
  return /^\d{6}$/.test(time) ? `${time.slice(0, 2)}:${time.slice(2, 4)}:${time.slice(4)}` : NONE;
}

/** The largest number that the API takes. */
export const MAX_INPUT = Number.MAX_SAFE_INTEGER;

export type Typed =
  | { kind: "empty" }
  | { kind: "number"; value: number }
  /** More digits than the API takes. */
  | { kind: "huge" }
  /** More decimals than the venue's unit has: it lies between `below` and the next. */
  | { kind: "fine"; below: number }
  /** Letters, a sign, a fraction, nothing but commas. */
  | { kind: "invalid" };

const DIGITS = /^\d+$/;

/** What somebody typed or pasted as a whole number: full-width digits, commas, blanks and units (원, 주, ₩) are understood. */
export function parseWhole(text: string): Typed {
  const plain = text.normalize("NFKC").replace(/[\s,_]|원|주|₩/gu, "");
  if (plain === "") return text.trim() === "" ? { kind: "empty" } : { kind: "invalid" };
  const digits = plain.replace(/^\+/, "").replace(/\.0*$/, "");
  if (!DIGITS.test(digits)) return { kind: "invalid" };
  const value = Number(digits);
  return value > MAX_INPUT ? { kind: "huge" } : { kind: "number", value };
}

/** How an input shows what is in it: grouped when it is a number, else unchanged and no longer than 20 characters. */
export function showInput(text: string): string {
  const typed = parseWhole(text);
  return typed.kind === "number" ? group(typed.value) : text.slice(0, 20);
}
