/** Fills `{name}` in the exchange's sentences with numbers and words as people of a language write them. */

import type { Language } from "../numbers";
import { group } from "../numbers";

/** The filled template; null where a param that it names is missing. */
export function fill(template: string, params: Record<string, unknown>, language: Language): string | null {
  let whole = true;
  const text = template.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = params[name];
    if (typeof value === "number") return group(value);
    if (typeof value === "string") return value;
    whole = false;
    return language;
  });
  return whole ? text : null;
}
