/** Writes the exchange's sentences: what stands in braces, as the end of its name says (`onseju/story/wording.py`). */

import { clockTime, group, shares, type Language } from "../numbers";

export interface Texts {
  ko: string;
  en: string;
}

export type TextOf = (key: string, language: Language) => string | null;

/** A price, or an average as a decimal string, which keeps its decimals. */
function price(value: unknown, language: Language): string | null {
  const [, whole, decimals] = /^(\d+)(?:\.(\d+))?$/.exec(String(value)) ?? [];
  if (whole === undefined) return null;
  const text = group(Number(whole)) + (decimals === undefined ? "" : `.${decimals}`);
  return language === "ko" ? `${text}원` : `₩${text}`;
}

function written(name: string, value: unknown, language: Language, word: TextOf, reason: TextOf): string | null {
  const kind = name.slice(name.lastIndexOf("_") + 1);
  if (kind === "price") return price(value, language);
  if (kind === "word") return word(String(value), language);
  if (kind === "reason") return reason(String(value), language);
  if (kind === "time") return clockTime(String(value));
  if (kind === "number") return String(value);
  if (typeof value !== "number") return null;
  if (kind === "qty") return shares(value, language);
  return kind === "count" ? group(value) : null;
}

/** The sentence; null where it names a param that is missing or that this page cannot write. */
export function fill(
  template: Texts,
  params: Record<string, unknown>,
  language: Language,
  word: TextOf,
  reason: TextOf,
): string | null {
  let whole = true;
  const text = template[language].replace(/\{(\w+)\}/g, (_, name: string) => {
    const told = params[name] === undefined ? null : written(name, params[name], language, word, reason);
    whole &&= told !== null;
    return told ?? "";
  });
  return whole ? text : null;
}
