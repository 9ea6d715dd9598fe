/** A refusal by the exchange as a sentence: the richer one where the page knows the numbers, else the reason's own. */

import { NoAnswer, Problem } from "../api/http";
import { REASON_CODES, type Sentence } from "./messages";

const KNOWN = new Set(REASON_CODES);

/** What to say about an error that a call to the exchange threw. Errors of the program itself are thrown on. */
export function sentenceOf(error: unknown): Sentence {
  if (error instanceof Problem) {
    if (error.code === "rate_limited" && error.retryAfter !== null) {
      return { key: "refused.rate_limited", params: { seconds: Math.max(1, Math.ceil(error.retryAfter)) } };
    }
    // A reason that a newer server gives and this page does not know comes with its own sentence.
    if (!KNOWN.has(error.code)) return { key: "detail", params: { text: error.message } };
    return { key: "reason", params: { code: error.code } };
  }
  if (error instanceof NoAnswer) return { key: "refused.network" };
  throw error;
}
