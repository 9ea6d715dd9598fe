/** Answers of the forecast, and what a refusal offers instead. */

import type { Sentence } from "../messages";
import type { Field, Fix, Forecast, Kind } from "./question";

export function answer(kind: Kind, sentence: Sentence, more: Partial<Forecast> = {}): Forecast {
  return {
    kind,
    reason: null,
    field: null,
    fixes: [],
    fillQty: 0,
    fillAmount: 0,
    restQty: 0,
    restPrice: null,
    ahead: null,
    ...more,
    sentence,
  };
}

export function refuse(reason: string, field: Field | null, sentence: Sentence, fixes: Fix[] = []): Forecast {
  return answer("refused", sentence, { reason, field, fixes });
}

export const reasonSentence = (code: string): Sentence => ({ key: "reason", params: { code } });

export const priceFix = (price: number): Fix => ({ label: { key: "fix.price", params: { price } }, patch: { price } });
export const stopFix = (stop: number): Fix => ({
  label: { key: "fix.price", params: { price: stop } },
  patch: { stop },
});
export const qtyFix = (qty: number): Fix => ({ label: { key: "fix.qty", params: { qty } }, patch: { qty } });
export const LIMIT_DAY: Fix = { label: { key: "fix.limit_day" }, patch: { type: "limit", timeInForce: "day" } };
export const DAY: Fix = { label: { key: "fix.day" }, patch: { timeInForce: "day" } };
