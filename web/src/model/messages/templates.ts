/** Writes the exchange's sentences: what stands in braces, as the end of its name says (`onseju/story/wording.py`). */

import type { Money } from "../money";
import { clockTime, group, shares, type Language } from "../numbers";

export interface Texts {
  ko: string;
  en: string;
}

export type TextOf = (key: string, language: Language) => string | null;

/** What the exchange's sentences name besides numbers. */
export interface Names {
  word: TextOf;
  reason: TextOf;
}

function written(name: string, value: unknown, language: Language, money: Money, names: Names): string | null {
  const kind = name.slice(name.lastIndexOf("_") + 1);
  if (kind === "price") return money.exact(value, language);
  if (kind === "word") return names.word(String(value), language);
  if (kind === "reason") return names.reason(String(value), language);
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
  money: Money,
  names: Names,
): string | null {
  let whole = true;
  const text = template[language].replace(/\{(\w+)\}/g, (_, name: string) => {
    const told = params[name] === undefined ? null : written(name, params[name], language, money, names);
    whole &&= told !== null;
    return told ?? "";
  });
  return whole ? text : null;
}
