/** The prices that rules name: the day's limits, and from where a trade would start a volatility interruption. */

import type { InstrumentState } from "../../api/types";
import { floorToGrid, isOnGrid, nextUp, type Bands } from "../../model/ticks";
import type { Mark } from "./rows";

export type Bounds = Pick<
  InstrumentState,
  "upper_limit" | "lower_limit" | "vi_static_lower" | "vi_static_upper" | "vi_dynamic_lower" | "vi_dynamic_upper"
>;

const known = (values: (number | null)[]) => values.filter((value) => value !== null);

/** The nearest prices from which a trade would interrupt; null where none would. */
export function interruptions(state: Bounds): { upper: number | null; lower: number | null } {
  const upper = known([state.vi_static_upper, state.vi_dynamic_upper]);
  const lower = known([state.vi_static_lower, state.vi_dynamic_lower]);
  return {
    upper: upper.length > 0 ? Math.min(...upper) : null,
    lower: lower.length > 0 ? Math.max(...lower) : null,
  };
}

/** By price. A limit's own mark goes before the interruption's. */
export function marksOf(state: Bounds | null, bands: Bands): ReadonlyMap<number, Mark> {
  const marks = new Map<number, Mark>();
  if (state === null) return marks;
  const { upper, lower } = interruptions(state);
  // The first prices that somebody can order at.
  if (upper !== null) marks.set(isOnGrid(bands, upper) ? upper : nextUp(bands, floorToGrid(bands, upper)), "vi_upper");
  if (lower !== null) marks.set(floorToGrid(bands, lower), "vi_lower");
  if (state.upper_limit !== null) marks.set(state.upper_limit, "upper");
  if (state.lower_limit !== null) marks.set(state.lower_limit, "lower");
  return marks;
}
