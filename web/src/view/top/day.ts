/** The exchange's day as a ribbon, and lengths of time in words. Times in milliseconds since 1970. */

import type { Clock, Phase } from "../../api/types";
import { clockTime, millis } from "../../model/numbers";
import { collects, isShut } from "../../model/phases";

const DAY_MS = 86_400_000;
const KST_MS = 9 * 3_600_000;

const sinceMidnight = (now: number) => (now + KST_MS) % DAY_MS;

export interface Segment {
  /** Null for a time in which the plan has nothing. */
  phase: Phase | null;
  kind: "auction" | "trading" | "closed" | "gap";
  /** Its share of the ribbon, and how much of it has passed: 0 to 1. */
  share: number;
  passed: number;
  from: number;
  to: number;
}

export interface Ribbon {
  segments: Segment[];
  /** Where now is, 0 to 1. */
  now: number;
}

const part = (value: number) => Math.min(Math.max(value, 0), 1);

function kindOf(phase: Phase): Segment["kind"] {
  if (collects(phase)) return "auction";
  return isShut(phase) ? "closed" : "trading";
}

/** The day's plan as a ribbon. A day without a plan is one piece from midnight to midnight. */
export function ribbonOf(clock: Clock | null, now: number): Ribbon {
  // What is closed before the first phase and after the last one is not the day.
  const planned = (clock?.day ?? []).map(({ phase, from, to }) => ({ phase, from: millis(from), to: millis(to) }));
  while (planned[0] !== undefined && kindOf(planned[0].phase) === "closed") planned.shift();
  while (planned.length > 0 && kindOf(planned[planned.length - 1]!.phase) === "closed") planned.pop();
  const first = planned[0];
  const last = planned.at(-1);
  if (first === undefined || last === undefined || last.to <= first.from) {
    const passed = sinceMidnight(now) / DAY_MS;
    const from = now - sinceMidnight(now);
    return {
      segments: [{ phase: null, kind: "trading", share: 1, passed, from, to: from + DAY_MS }],
      now: passed,
    };
  }
  const length = last.to - first.from;
  const segments: Segment[] = [];
  let at = first.from;
  for (const { phase, from, to } of planned) {
    if (from > at)
      segments.push({ phase: null, kind: "gap", share: (from - at) / length, passed: 0, from: at, to: from });
    if (to <= from) continue;
    const kind = kindOf(phase);
    segments.push({ phase, kind, share: (to - from) / length, passed: part((now - from) / (to - from)), from, to });
    at = to;
  }
  return { segments, now: part((now - first.from) / length) };
}

/** `4:38:53`, `02:14`; whole seconds, never below zero. */
export function durationText(ms: number): string {
  const seconds = Math.max(Math.round(ms / 1000), 0);
  const two = (value: number) => String(value).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const rest = `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return hours > 0 ? `${hours}:${rest}` : rest;
}

/** What is left of a day without a plan: it ends at midnight, Korean time. */
export function leftOfDay(now: number): string {
  return durationText(DAY_MS - sinceMidnight(now));
}

/** `15:30`. */
export function minuteOf(at: number | string): string {
  return clockTime(at).slice(0, 5);
}
