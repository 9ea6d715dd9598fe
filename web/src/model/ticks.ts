/** Prices on the grid, as `onseju/rules/ticks.py` has it: a price's own band says its step. */

import type { TickBand } from "../api/types";

const EVERY_WHOLE_PRICE: readonly TickBand[] = [{ from_price: 0, tick: 1 }];

/** Bands ascending; without any, every whole price is on the grid. */
export type Bands = readonly TickBand[];

function whole(bands: Bands): Bands {
  return bands.length > 0 ? bands : EVERY_WHOLE_PRICE;
}

function bandOf(bands: Bands, price: number): number {
  let index = 0;
  while (index + 1 < bands.length && (bands[index + 1] as TickBand).from_price <= price) index += 1;
  return index;
}

/** The step at `price`; a band's lower edge belongs to it. */
export function tickSize(bands: Bands, price: number): number {
  const table = whole(bands);
  return (table[bandOf(table, price)] as TickBand).tick;
}

export function isOnGrid(bands: Bands, price: number): boolean {
  return Number.isInteger(price) && price > 0 && price % tickSize(bands, price) === 0;
}

/** The nearest valid price at or below `price`; 0 where there is none. */
export function floorToGrid(bands: Bands, price: number): number {
  const table = whole(bands);
  let top = Math.floor(price);
  for (let index = bandOf(table, top); index >= 0; index -= 1) {
    const { from_price: start, tick } = table[index] as TickBand;
    const candidate = top - (((top % tick) + tick) % tick);
    if (candidate >= Math.max(start, 1)) return candidate;
    top = start - 1;
  }
  return 0;
}

/** The nearest valid price at or above `price`. */
export function ceilToGrid(bands: Bands, price: number): number {
  const table = whole(bands);
  let bottom = Math.max(Math.ceil(price), 1);
  let index = bandOf(table, bottom);
  for (;;) {
    const { tick } = table[index] as TickBand;
    const candidate = Math.ceil(bottom / tick) * tick;
    index += 1;
    const next = table[index];
    if (next === undefined || candidate < next.from_price) return candidate;
    bottom = next.from_price;
  }
}

/** One step up: 19,990 → 20,000 → 20,050. */
export function nextUp(bands: Bands, price: number): number {
  return ceilToGrid(bands, price + 1);
}

/** One step down: 20,050 → 20,000 → 19,990; the lowest price stays. */
export function nextDown(bands: Bands, price: number): number {
  const below = floorToGrid(bands, price - 1);
  return below > 0 ? below : ceilToGrid(bands, 1);
}

export interface Limits {
  lower: number | null;
  upper: number | null;
}

/** `steps` steps up (or down, when negative), over band edges, never past the day's limits. */
export function step(bands: Bands, price: number, steps: number, limits?: Limits): number {
  const upper = limits?.upper ?? null;
  const lower = limits?.lower ?? null;
  let at = price;
  for (let left = Math.abs(Math.trunc(steps)); left > 0; left -= 1) {
    const next = steps > 0 ? nextUp(bands, at) : nextDown(bands, at);
    if (next === at) break;
    at = next;
  }
  if (upper !== null && at > upper) at = upper;
  if (lower !== null && at < lower) at = lower;
  return at;
}

/** The valid prices on both sides of one that is not on the grid: what a refusal offers instead. */
export function neighbours(bands: Bands, price: number, limits?: Limits): number[] {
  const upper = limits?.upper ?? Number.MAX_SAFE_INTEGER;
  const lower = limits?.lower ?? 1;
  const found = [floorToGrid(bands, price), ceilToGrid(bands, price)].filter(
    (candidate) => candidate >= Math.max(lower, 1) && candidate <= upper,
  );
  return [...new Set(found)];
}
